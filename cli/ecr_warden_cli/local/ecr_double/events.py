"""The events that ECR sends of images, and that CloudTrail sends of CreateRepository.

Of their fields, those that AWS's own samples have (``events/`` has the samples).
"""

import uuid
from datetime import datetime
from typing import Any, Final

from moto.core.exceptions import ServiceException
from moto.ecr.models import ECRBackend, Image, Repository

from ecr_warden.domain.console import partition
from ecr_warden_cli.local.ecr_double.api import Emit, Handler, Parameters, now

IMAGE_ACTION: Final = "ECR Image Action"
_ROLE: Final = "local"


def image_action(emit: Emit, backend: ECRBackend, repository_name: str, action: str, **detail: str) -> None:
    """Send an ``ECR Image Action`` of something that succeeded; ``_`` stands for ``-`` in a field's name."""
    emit(
        backend.account_id,
        backend.region_name,
        IMAGE_ACTION,
        {
            "action-type": action,
            "result": "SUCCESS",
            "repository-name": repository_name,
            **{key.replace("_", "-"): value for key, value in detail.items()},
        },
    )


def media_types(image: Image, manifest: dict[str, Any]) -> dict[str, str]:
    """Give what an image's manifest is, and what is in it."""
    # An OCI artifact says what it is in artifactType, or else in its config's media type.
    artifact = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType")
    types = {"manifest_media_type": image.image_manifest_media_type}
    return types | ({"artifact_media_type": artifact} if artifact else {})


def recorded(emit: Emit, handler: Handler) -> Handler:
    """Let CloudTrail tell of each call of CreateRepository, whether it failed or not."""

    def handle(backend: ECRBackend, parameters: Parameters) -> Any:  # noqa: ANN401  # moto's own
        try:
            answer = handler(backend, parameters)
        except ServiceException as error:
            _emit_call(emit, backend, parameters, errorCode=error.code, errorMessage=error.message)
            raise
        repository = answer["repository"]
        _emit_call(
            emit,
            backend,
            parameters,
            responseElements={"repository": _described(repository)},
            resources=[{"ARN": repository.arn, "accountId": backend.account_id}],
        )
        return answer

    return handle


def _emit_call(emit: Emit, backend: ECRBackend, parameters: Parameters, **detail: Any) -> None:  # noqa: ANN401  # JSON
    emit(
        backend.account_id,
        backend.region_name,
        "AWS API Call via CloudTrail",
        {
            "eventVersion": "1.08",
            "userIdentity": _identity(backend),
            "eventTime": _iso(now()),
            "eventSource": "ecr.amazonaws.com",
            "eventName": "CreateRepository",
            "awsRegion": backend.region_name,
            "sourceIPAddress": "127.0.0.1",
            "userAgent": "local",
            "requestParameters": parameters,
            "responseElements": None,
            "requestID": str(uuid.uuid4()),
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": backend.account_id,
            "eventCategory": "Management",
            **detail,
        },
    )


def _identity(backend: ECRBackend) -> dict[str, Any]:
    account, aws = backend.account_id, f"arn:{partition(backend.region_name)}"
    return {
        "type": "AssumedRole",
        "principalId": f"AROALOCAL:{_ROLE}",
        "arn": f"{aws}:sts::{account}:assumed-role/{_ROLE}/{_ROLE}",
        "accountId": account,
        "accessKeyId": "LOCAL",
        "sessionContext": {
            "attributes": {"mfaAuthenticated": "false", "creationDate": _iso(now())},
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROALOCAL",
                "arn": f"{aws}:iam::{account}:role/{_ROLE}",
                "accountId": account,
                "userName": _ROLE,
            },
        },
    }


def _described(repository: Repository) -> dict[str, str]:
    return {
        "repositoryArn": repository.arn,
        "repositoryName": repository.name,
        "repositoryUri": repository.uri,
        # CloudTrail's own form: Jul 11, 2018 10:17:44 PM
        "createdAt": f"{repository.created_at:%b %d, %Y %I:%M:%S %p}",
        "registryId": repository.registry_id,
    }


def created_by_service(emit: Emit, backend: ECRBackend, repository: Repository, source: str) -> None:
    """Send CloudTrail's event of a repository that ECR made itself; ``source`` is the event's."""
    emit(
        backend.account_id,
        backend.region_name,
        "AWS Service Event via CloudTrail",
        {
            "eventVersion": "1.08",
            "userIdentity": {"accountId": backend.account_id, "invokedBy": "ecr.amazonaws.com"},
            "eventTime": _iso(now()),
            "eventSource": source,
            "eventName": "CreateRepository",
            "awsRegion": backend.region_name,
            "sourceIPAddress": "ecr.amazonaws.com",
            "userAgent": "ecr.amazonaws.com",
            "requestParameters": None,
            "responseElements": None,
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "resources": [
                {"ARN": repository.arn, "accountId": backend.account_id, "type": "AWS::ECR::Repository"}
            ],
            "eventType": "AwsServiceEvent",
            "managementEvent": True,
            "recipientAccountId": backend.account_id,
            "serviceEventDetails": {"repositoryName": repository.name},
            "eventCategory": "Management",
        },
    )


def _iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
