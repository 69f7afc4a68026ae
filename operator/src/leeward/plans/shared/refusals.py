"""What it means for a user when an action of a plan did not end well."""

from typing import Final

from leeward.plans.shared.claims import contested, is_claim
from leeward.plans.shared.model import (
    Action,
    AdoptArtefactKey,
    Apply,
    CountDelivery,
    Create,
    DeliverKeys,
    DestroyRetiredKey,
    EnsureArtefactKey,
    Outcome,
    PublishArtefactKey,
    PutKeys,
    RetireArtefactKey,
)
from leeward.plans.shared.verdict import Denied, key_fault


def refusal(namespace: str, action: Action, outcome: Outcome) -> Denied:
    """Reason and remedy.

    Args:
        namespace: Of the resource.
        action: What was tried.
        outcome: How it ended; not Done.
    """
    match outcome.code:
        case "Forbidden":
            return Denied(
                "NamespaceNotEnabled",
                f"the operator may not {_verb(action)} in namespace {namespace}: an administrator"
                f" runs: leeward namespace enable {namespace} (or adds it to enabledNamespaces in"
                " the Helm values)",
            )
        case "Retired":
            return Denied(
                "AwaitingSource",
                "the artefact key of the source was just replaced by another one: the job starts"
                " with that",
            )
        case "Unreadable":
            return key_fault(outcome.result)
        case "Invalid":
            return _invalid(action, outcome)
        case "Conflict" if isinstance(action, _OF_A_DATASET):
            return Denied(
                "KeyOfOtherDataset",
                f"the artefact key {action.id} belongs to another Dataset by now: use that one",
            )
        case "Conflict" if isinstance(action, CountDelivery):
            return Denied(
                "KeyNotGranted",
                f"grant {action.grant} of key {action.key} was just given to the last of"
                f" {action.limit} workloads: its steward raises maxDeliveries there, or adds a"
                " grant",
            )
        case "Conflict":
            return _conflict(action, outcome)
        case _:
            return _missing(namespace, action, outcome)


_OF_A_DATASET: Final = (
    AdoptArtefactKey,
    PublishArtefactKey,
    RetireArtefactKey,
    DestroyRetiredKey,
)


def _conflict(action: Action, outcome: Outcome) -> Denied:
    if isinstance(action, Create) and is_claim(action.manifest):
        return contested(action.manifest, outcome.result)
    other = "choose another name for this resource"
    if isinstance(action, PutKeys):
        other = "create another KeyDelivery with another spec.secretName, which cannot be changed"
    return Denied(
        "NameTaken",
        f"{_object(action)} is there and belongs to somebody else: remove it, or {other}",
    )


def _invalid(action: Action, outcome: Outcome) -> Denied:
    if isinstance(action, Create) and action.manifest["kind"] == "Job":
        return Denied(
            "PodRefused",
            f"the API server refuses the Job: {outcome.message}. Correct spec.resources or"
            " spec.podTemplate, or have the quota or policy of the namespace changed",
        )
    return Denied(
        "ChildRefused",
        f"the API server refuses {_object(action)}: {outcome.message}. Have the quota or policy"
        " that says so changed",
    )


def _missing(namespace: str, action: Action, outcome: Outcome) -> Denied:
    match action:
        case EnsureArtefactKey():
            return Denied(
                "KeyMissing",
                f"key {action.key} of KeyVault {action.vault_namespace}/{action.vault} is not in"
                " its keyset: see the conditions of that KeyVault",
            )
        case DeliverKeys() | PutKeys():
            return Denied(
                "KeyLost",
                "an artefact key that the pod needs is gone: restore its Secret in the operator's"
                " namespace from a backup",
            )
        case _:
            return Denied(
                "NamespaceGone",
                f"namespace {namespace} is going or gone: {outcome.message or 'it is not there'}",
            )


def _verb(action: Action) -> str:
    match action:
        case Apply() | Create():
            return f"create {action.manifest['kind']}s"
        case _:
            return "create and delete Secrets"


def _object(action: Action) -> str:
    match action:
        case Apply() | Create():
            manifest = action.manifest
            return f"{manifest['kind']} {manifest['metadata']['name']}"
        case DeliverKeys() | PutKeys():
            return f"Secret {action.name}"
        case _:
            return "an object of that name"
