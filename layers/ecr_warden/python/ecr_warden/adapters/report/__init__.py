"""The report of a run: a page, a table and a document. Each writer goes through the rows once."""

from ecr_warden.adapters.report.csv_file import write_csv
from ecr_warden.adapters.report.html_page import write_html
from ecr_warden.adapters.report.json_file import write_json

__all__ = ["write_csv", "write_html", "write_json"]
