"""What CloudTrail says of who made a call."""

from collections.abc import Mapping
from typing import Any

from ecr_warden.adapters.event_fields import printable
from ecr_warden.domain.identity import Caller, name_caller


def caller_name(identity: object) -> str | None:
    """Name who called, by an event's ``userIdentity``, or give ``None`` where it does not say.

    What it has differs by its type, and AWS adds to it: it is never what fails.
    """
    fields = _inner(identity)
    context = _inner(fields.get("sessionContext"))
    return name_caller(
        Caller(
            kind=_said(fields, "type"),
            resource=_said(fields, "arn").rpartition(":")[2],
            user_name=_said(fields, "userName"),
            principal_id=_said(fields, "principalId"),
            account=_said(fields, "accountId"),
            invoked_by=_said(fields, "invokedBy"),
            role=_said(_inner(context.get("sessionIssuer")), "userName"),
            provider=_said(_inner(context.get("webIdFederationData")), "federatedProvider"),
            issued_in=_said(_inner(fields.get("inScopeOf")), "issuerType"),
        )
    )


def _inner(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _said(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return printable(value) if isinstance(value, str) else ""
