"""Repositories in the answers of the Resource Groups Tagging API, which moto leaves out."""

from collections.abc import Callable, Iterator
from typing import Any

from moto.core.resource_tagging import TaggedResource, match_resource_type
from moto.ecr.models import ecr_backends
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend, make_tag_matcher

_TYPE = "ecr:repository"


def with_repositories(listing: Callable[..., Iterator[TaggedResource]]) -> Callable[..., Iterator[Any]]:
    """Let moto's listing of tagged resources have repositories as well."""

    def resources(
        backend: ResourceGroupsTaggingAPIBackend,
        tag_filters: list[dict[str, Any]] | None = None,
        resource_type_filters: list[str] | None = None,
        resource_arn_list: list[str] | None = None,
    ) -> Iterator[TaggedResource]:
        yield from listing(backend, tag_filters, resource_type_filters, resource_arn_list)
        if not match_resource_type(_TYPE, resource_type_filters):
            return
        matches, ecr = make_tag_matcher(tag_filters), ecr_backends[backend.account_id][backend.region_name]
        for repository in list(ecr.repositories.values()):
            tags = ecr.tagger.get_tag_dict_for_resource(repository.arn)
            if tags and matches(tags) and (not resource_arn_list or repository.arn in resource_arn_list):
                yield TaggedResource(arn=repository.arn, tags=tags, resource_type=_TYPE)

    return resources
