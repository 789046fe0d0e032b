"""Who made an AWS call, as people would say it."""

import re
from dataclasses import dataclass
from typing import Final

from ecr_warden.domain.texts import cut

# A role's name and a session's have at most 64 characters each; a path has more.
_MOST_CHARACTERS: Final = 200
# What IAM calls a user's or a session's key, and a user or a role by its unique id. None is a secret, and
# nothing that a message should have: nobody knows who that is.
_NO_NAME: Final = re.compile(r"A(?:KI|SI|ID|RO)A[0-9A-Z]{12,}", re.ASCII)
_PERMISSION_SET: Final = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}", re.ASCII)
_IDENTITY_CENTER: Final = "IAM Identity Center"
# By the host of the identity provider that vouched for a session.
_PROVIDERS: Final = (
    (re.compile(r"token\.actions\.githubusercontent\.com"), "GitHub Actions"),
    (re.compile(r"gitlab\.com"), "GitLab"),
    (re.compile(r"oidc\.circleci\.com"), "CircleCI"),
    (re.compile(r"agent\.buildkite\.com"), "Buildkite"),
    (re.compile(r"api\.bitbucket\.org"), "Bitbucket Pipelines"),
    (re.compile(r"app\.terraform\.io"), "HCP Terraform"),
    (re.compile(r"vstoken\.dev\.azure\.com"), "Azure Pipelines"),
    (re.compile(r"oidc(-eks)?\.(eks\.)?[\w-]+\.(amazonaws\.com(\.cn)?|api\.aws)", re.ASCII), "EKS"),
)
_UUID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_GITLAB_SESSION: Final = re.compile(r"GitLabRunner-.+")
# By the name that a session has where nobody chose another.
_SESSIONS: Final = (
    (re.compile(r"GitHubActions"), "GitHub Actions"),
    (_GITLAB_SESSION, "GitLab"),
    (re.compile(rf"AWSCodeBuild-{_UUID}", re.ASCII), "CodeBuild"),
    (re.compile(r"buildkite-job-.+"), "Buildkite"),
    (re.compile(r"circleci(-.+)?", re.IGNORECASE), "CircleCI"),
    (re.compile(r"jenkins(-.+)?", re.IGNORECASE), "Jenkins"),
    (re.compile(rf"eks-.+-{_UUID}", re.ASCII), "EKS"),
    (re.compile(r"i-[0-9a-f]{8,17}", re.ASCII), "EC2 instance"),
    (re.compile(r"[0-9a-f]{32}", re.ASCII), "ECS task"),
)
# Somebody's own GitLab has a host that others may have too.
_OWN_GITLAB: Final = re.compile(r"gitlab(\.[\w-]+)+", re.ASCII)
_ISSUERS: Final = {"AWS::Lambda::Function": "Lambda", "AWS::ECS::Task": "ECS task"}
# ECR Warden's own role and function, as CloudFormation names them after the template.
_OWN: Final = re.compile(r"[\w-]+-ImageActionRole-\w+/[\w-]+-ImageActionFunction-\w+", re.ASCII)


@dataclass(frozen=True)
class Caller:
    """What CloudTrail says of who made a call; what it does not say is empty.

    Attributes
    ----------
    kind
        The type of identity, such as ``AssumedRole``.
    resource
        The last part of its ARN, such as ``assumed-role/deploy/GitHubActions``.
    principal_id
        Its unique id, of a session with the session's name: ``AROA…:GitHubActions``.
    role
        The name of the role that issued the session.
    provider
        The identity provider that vouched for the session: an ARN or a host's name.
    issued_in
        The type of the resource for which the session was issued, such as ``AWS::Lambda::Function``.

    """

    kind: str = ""
    resource: str = ""
    user_name: str = ""
    principal_id: str = ""
    account: str = ""
    invoked_by: str = ""
    role: str = ""
    provider: str = ""
    issued_in: str = ""


def name_caller(caller: Caller) -> str | None:
    """Name who made a call, or give ``None`` where CloudTrail does not say.

    A role is named with its session and, where one can tell, with the system that it runs in:
    ``deploy/GitHubActions (GitHub Actions)``. A person who came through IAM Identity Center is named with the
    permission set: ``Developer/mary@example.com (IAM Identity Center)``. Nobody is named by an access key
    or a unique id.
    """
    session = _session_of(caller)
    said = _NO_NAME.sub("…", _name(caller) if session is None else _session_name(caller, *session))
    return cut(said, _MOST_CHARACTERS) if said.strip("…") else None


def is_own(pushed_by: str | None) -> bool:
    """Tell whether a name is that of ECR Warden's own function, which tags what others pushed."""
    return pushed_by is not None and _OWN.match(pushed_by) is not None


def _session_of(caller: Caller) -> tuple[str, str] | None:
    """Give a role and its session; the ARN has both, and where it is left out, they are in two places."""
    kind, _, rest = caller.resource.partition("/")
    if kind == "assumed-role":
        role, _, session = rest.rpartition("/")
        return (role, session) if role else (session, "")
    if caller.kind == "AssumedRole" and caller.role and not caller.resource:
        return caller.role, caller.principal_id.partition(":")[2]
    return None


def _session_name(caller: Caller, role: str, session: str) -> str:
    permission_set = _PERMISSION_SET.fullmatch(role)
    name = permission_set.group(1) if permission_set else role
    system = _IDENTITY_CENTER if permission_set else _system(caller, session)
    return f"{name}/{session}".rstrip("/") + (f" ({system})" if system else "")


def _system(caller: Caller, session: str) -> str | None:
    """Tell in what a session runs: its provider and its issuer know.

    Its name, which whoever begins a session may choose, is a hint only where none of them is named.
    """
    # An ARN has the provider's URL behind its type, without the scheme.
    host = caller.provider.rpartition("oidc-provider/")[2].partition("/")[0]
    by_provider = next((name for pattern, name in _PROVIDERS if pattern.fullmatch(host)), None)
    if known := by_provider or _ISSUERS.get(caller.issued_in):
        return known
    if host or caller.issued_in or caller.invoked_by:
        is_own_gitlab = _OWN_GITLAB.fullmatch(host) and _GITLAB_SESSION.fullmatch(session)
        return "GitLab" if is_own_gitlab else None
    return next((name for pattern, name in _SESSIONS if pattern.fullmatch(session)), None)


def _name(caller: Caller) -> str:
    """Name who is no role: a user, the account's root, a federated user, a service, another account."""
    if caller.kind == "AWSAccount" and caller.account:
        # Of somebody of another account CloudTrail says no name but a session's.
        session = caller.principal_id.partition(":")[2]
        return f"{session} of account {caller.account}" if session else f"account {caller.account}"
    # An ARN says the type first; an account's root has no name.
    named = caller.resource.partition("/")[2] or caller.resource
    # A web identity and a SAML user have no ARN; a federated user's own name is behind the account's id.
    federated = caller.principal_id.rpartition(":")[2]
    return named or caller.user_name or caller.invoked_by or federated
