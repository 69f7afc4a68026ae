"""Replacing the keys of a sealed file: its artefact key, and on request its data key.

    Rewrap     Adding ─▶ Distributing ─▶ status.keyId ─▶ Draining ─▶ Removing ─▶ Destroying
               header:   long-lived      the new key     old key     header:     the old key
               new, old  pods get it     from here on    retired     new
    Reencrypt  Adding ─▶ Distributing ─▶ Draining ─▶ Encrypting ─▶ status.keyId, ─▶ Destroying
                                         old key     a new file    digest
                                         retired     takes the place

Everything is decided by what is stored, one step at a time; every step can be repeated. Whoever was
given a key can open the file for as long as he may: while a workload that was given the old key is
not over, the file as it was for it stays. Who they are, a list tells that is made after the key was
retired: from then on nobody is given it, and who was given it before had said so in his status
(``sourceKeyId``) before that (docs/adr/0013-dataset-keys.md).
"""

from collections.abc import Callable, Mapping
from typing import Final

from leeward.formats.jobconfig import ReencryptConfig, RewrapConfig
from leeward.formats.material import fingerprint
from leeward.formats.result import ResultFile
from leeward.plans.dataset import inspection, rewrapping
from leeward.plans.dataset.consumers import (
    await_acknowledgement,
    await_release,
    await_workloads,
)
from leeward.plans.dataset.due import begin_if_due, due_replacement
from leeward.plans.dataset.keys import make_key
from leeward.plans.dataset.rewrapping import CONDITION, NEW_ROLE, OLD_ROLE, Task
from leeward.plans.dataset.view import View
from leeward.plans.shared.conditions import (
    is_true,
    parse_timestamp,
)
from leeward.plans.shared.keys import check_key
from leeward.plans.shared.model import (
    Action,
    ArtefactKeyInfo,
    ArtefactKeyOf,
    DestroyRetiredKey,
    Manifest,
    Plan,
    PublishArtefactKey,
    RetireArtefactKey,
    WriteStatus,
)
from leeward.plans.shared.refusals import refusal
from leeward.plans.shared.steps import progress
from leeward.plans.shared.verdict import Denied, Unseen


def is_replacing(view: View) -> bool:
    """Whether the file may be written by a Job of this module now: nobody inspects it then."""
    return bool(view.status.get("replacement", {}).get("phase", "Waiting") != "Waiting")


def goes_on(view: View) -> Plan | None:
    """The next step, where those are done that were waited for; nothing else is looked at then.

    None: there is nobody to wait for, or somebody still has to be.
    """
    record: Manifest = view.status.get("replacement", {})
    waits = record.get("mode") == "Rewrap" and record["phase"] in ("Distributing", "Draining")
    if not waits or "retryAt" in record or _is_asked_again(view):
        return None
    plan = _replace(view)
    return plan if plan.needs or plan.actions else None


def awaits_job(view: View) -> bool:
    """Whether a Job of this module alone decides what comes next.

    Each of its events leads to a look, so little is looked at then: all else of a Dataset can wait
    for the minutes that a Job may take which only rewrites a header. What follows the Job at once
    belongs to the same look; where that has to wait, the next one sees to everything again.
    """
    record: Manifest = view.status.get("replacement", {})
    if record.get("mode") != "Rewrap" or "retryAt" in record or _is_asked_again(view):
        return False
    if record["phase"] in ("Adding", "Removing"):
        return "jobUid" in record
    stepped = view.observed.done(WriteStatus()) is not None
    return stepped and record["phase"] in ("Distributing", "Destroying")


def plan_rotation(view: View, settled: Plan) -> Plan:
    """What to do about the keys of a Dataset, of which everything else is settled.

    Args:
        view: The Dataset; its draft is that of ``settled``.
        settled: The plan of everything else: it needs nothing and asks for nothing.
    """
    plan = _replace(view) if "replacement" in view.status else begin_if_due(view)
    pauses = [each for each in (settled.requeue_after, plan.requeue_after) if each is not None]
    return Plan(view.status, plan.needs, plan.actions, min(pauses, default=None))


def _replace(view: View) -> Plan:
    """The next step of the replacement that is under way."""
    record: Manifest = view.status["replacement"]
    if view.status["keyId"] not in (record["keyId"], record["previousKeyId"]):
        # An inspection found another file, which has a key of its own.
        return _withdraw(view)
    if record["phase"] == "Waiting":
        stopped = _give_again(view)
        if stopped is not None:
            return stopped
    retry = record.get("retryAt")
    if retry is not None and not _is_asked_again(view):
        left = (parse_timestamp(retry) - view.context.now).total_seconds()
        if left > 0:
            view.draft.set(CONDITION, False, record["reason"], record["message"])
            return Plan(view.status, requeue_after=left)
    rewrapping.say(view)
    return _STEPS[record["phase"]](view)


def _is_asked_again(view: View) -> bool:
    stored = view.resource.get("status") or {}
    return bool(stored.get("observedGeneration") != view.owner.generation)


def _add(view: View) -> Plan:
    """Make the new key, and write it into the header; a file that is encrypted anew needs none."""
    record: Manifest = view.status["replacement"]
    # Made before the Job, which was given it: a key that is gone since would be another one.
    stopped = None if "jobUid" in record else _make(view, record["keyId"])
    if stopped is not None:
        return stopped
    if record["mode"] == "Reencrypt":
        _enter(view, "Distributing")
        return Plan(view.status, actions=(WriteStatus(),))
    done = rewrapping.run(view, rewrapping.adding(view))
    if isinstance(done, Plan):
        return done
    if isinstance(done, Denied):
        return _failed(view, done)
    if done.rewrapped is None or record["keyId"] not in done.rewrapped.key_ids:
        return _failed(view, _WRONG_ANSWER)
    rewrapping.tidy(view)
    _enter(view, "Distributing")
    return Plan(view.status, actions=(WriteStatus(),))


def _distribute(view: View) -> Plan:
    """Wait until every long-lived pod has the new key, before anything opens with it alone."""
    record: Manifest = view.status["replacement"]
    held = await_acknowledgement(view)
    if held is not None:
        return held
    if record["mode"] == "Rewrap":
        return _promote(view, "Draining", {})
    _enter(view, "Draining")
    return Plan(view.status, actions=(WriteStatus(),))


def _drain(view: View) -> Plan:
    """Give the old key to nobody any more, and wait for those that were given it."""
    record: Manifest = view.status["replacement"]
    _hold(view)
    retire = RetireArtefactKey(record["previousKeyId"], view.owner.id)
    stopped = _do(view, retire, missing_is_done=True)
    if stopped is not None:
        return stopped
    held = await_release(view) if record["mode"] == "Rewrap" else None
    held = held or await_workloads(view)
    if held is not None:
        return held
    if record["mode"] == "Reencrypt":
        _enter(view, "Encrypting")
        return Plan(view.status, actions=(WriteStatus(),))
    _enter(view, "Removing")
    return _remove(view)  # stored when its Job is announced


def _encrypt(view: View) -> Plan:
    """Have another file with the same contents put in the place of the file."""
    record: Manifest = view.status["replacement"]
    _hold(view)
    previous = _previous_ids(view)
    if isinstance(previous, Plan):
        return previous
    config = ReencryptConfig(
        path=rewrapping.file_path(view),
        digest=view.status["digest"],
        file_id=view.status["sourceId"],
        open_role=OLD_ROLE,
        seal_role=NEW_ROLE,
        drop=previous,
        report=rewrapping.stored_report(view),
    )
    keys = ((OLD_ROLE, record["previousKeyId"]), (NEW_ROLE, record["keyId"]))
    done = rewrapping.run(view, Task(config, keys))
    if isinstance(done, Plan):
        return done
    if isinstance(done, Denied):
        return _failed(view, done)
    if done.output is None or done.output.key_ids != [record["keyId"]]:
        return _failed(view, _WRONG_ANSWER)
    found = {
        "digest": done.output.digest,
        "bytes": done.output.bytes,
        "reencryptedAt": record["startedAt"],
    }
    if "report" in view.status:
        found["report"] = _report(view, done.report_file)
    return _promote(view, "Destroying", found)


def _report(view: View, written: ResultFile | None) -> Manifest | None:
    """What the status says of the report now; None: it was gone, so nothing opens it any more."""
    if written is None:
        return None
    return {**view.status["report"], "digest": written.digest, "bytes": written.bytes}


def _promote(view: View, phase: str, found: Manifest) -> Plan:
    """Have the new key used: it is the Dataset's, and its public half is the one to seal to."""
    record: Manifest = view.status["replacement"]
    publish = PublishArtefactKey(record["keyId"], view.owner.id)
    stopped = _do(view, publish)
    if stopped is not None:
        return stopped
    outcome = view.observed.done(publish)
    if outcome is None:
        raise ValueError("it was done")
    info: ArtefactKeyInfo = outcome.result
    inspected = inspection.is_current(view)
    rewrapping.tidy(view)
    _enter(view, phase)
    record.pop("attempts", None)
    view.draft.put(
        keyId=record["keyId"],
        replacedKeyId=record["previousKeyId"],
        publicKey=info.public_key,
        **found,
    )
    if inspected:
        inspection.keep_current(view)
    return Plan(view.status, actions=(WriteStatus(),))


def _remove(view: View) -> Plan:
    """Take the old key out of the header."""
    record: Manifest = view.status["replacement"]
    previous = _previous_ids(view)
    if isinstance(previous, Plan):
        return previous
    config = RewrapConfig(
        path=rewrapping.file_path(view),
        file_id=view.status["sourceId"],
        open_role=NEW_ROLE,
        drop=previous,
        report=rewrapping.stored_report(view),
    )
    done = rewrapping.run(view, Task(config, ((NEW_ROLE, record["keyId"]),)))
    if isinstance(done, Plan):
        return done
    if isinstance(done, Denied):
        if done.reason != "SourceChanged":
            return _failed(view, done)
        # Another file came in its place, of which the next inspection tells.
        view.draft.put(inspection=None)
    elif done.rewrapped is None or not set(previous).isdisjoint(done.rewrapped.key_ids):
        return _failed(view, _WRONG_ANSWER)
    rewrapping.tidy(view)
    _enter(view, "Destroying")
    return Plan(view.status, actions=(WriteStatus(),))


def _destroy(view: View) -> Plan:
    """Destroy the old key: nothing names it any more."""
    record: Manifest = view.status["replacement"]
    held = await_release(view)
    if held is not None:
        return held
    stopped = _do(view, DestroyRetiredKey(record["previousKeyId"], view.owner.id))
    if stopped is not None:
        return stopped
    rewrapping.tidy(view)
    view.draft.put(replacement=None)
    view.draft.set(
        CONDITION,
        True,
        "Rewrapped" if record["mode"] == "Rewrap" else "Reencrypted",
        "the file opens with the new key alone, and the old one is destroyed",
    )
    return Plan(view.status, requeue_after=1.0)


def _wait_no_longer(view: View) -> Plan:
    """Try again what failed, or end it where it is not asked for any more."""
    record: Manifest = view.status["replacement"]
    due = due_replacement(view)
    if isinstance(due, Plan) and due.needs:
        return due
    if not is_true(view.status, "Ready"):
        message = "the keys of the file are replaced as soon as this Dataset is ready"
        view.draft.set(CONDITION, False, "AwaitingDataset", message)
        return Plan(view.status)
    if record["mode"] == "Rewrap" or (isinstance(due, tuple) and due[0] == "Reencrypt"):
        record["phase"] = "Adding"
        for field in ("retryAt", "reason", "message"):
            record.pop(field, None)
        return Plan(view.status, actions=(WriteStatus(),))
    return _withdraw(view)


def _withdraw(view: View) -> Plan:
    """End it before the new key was used: the file is as it was."""
    record: Manifest = view.status["replacement"]
    for action in (
        RetireArtefactKey(record["keyId"], view.owner.id),
        DestroyRetiredKey(record["keyId"], view.owner.id),
    ):
        stopped = _do(view, action, missing_is_done=True)
        if stopped is not None:
            return stopped
    rewrapping.tidy(view)
    view.draft.put(replacement=None)
    view.draft.set(CONDITION, True, "Withdrawn", "no key was replaced: the file is as it was")
    return Plan(view.status, requeue_after=1.0)


def _failed(view: View, denied: Denied) -> Plan:
    """Record the failure, and when it is tried again; until then all is as it was before."""
    record: Manifest = view.status["replacement"]
    if record["phase"] in ("Adding", "Encrypting"):
        record["phase"] = "Waiting"
        if denied.reason in _OTHER_FILE and "inspection" in view.status:
            view.draft.put(inspection=None)
    rewrapping.put_off(view, denied)
    view.draft.set(CONDITION, False, denied.reason, denied.message)
    # Stored before anything is done about it: who is late and sees a Job that is gone stops here.
    return Plan(view.status, actions=(WriteStatus(),))


def _give_again(view: View) -> Plan | None:
    """Let workloads have the old key again, where they were kept off; None: they may."""
    need = ArtefactKeyOf(view.status["replacement"]["previousKeyId"])
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    info: ArtefactKeyInfo | None = view.observed.get(need)
    if info is None or not info.retired:
        return None
    return _do(view, RetireArtefactKey(need.id, view.owner.id, retired=False))


def _make(view: View, key_id: str) -> Plan | None:
    """Make the new key, once; None: it is there."""
    need = ArtefactKeyOf(key_id)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    use = view.key
    if view.observed.get(need) is not None or use is None:
        return None
    verdict = check_key(use, view.observed)
    if isinstance(verdict, Unseen):
        return Plan(view.status, needs=verdict.needs)
    if isinstance(verdict, Denied):
        return _stuck(view, verdict)
    return _do(view, make_key(view, use, key_id))


def _previous_ids(view: View) -> list[str] | Plan:
    """What the file may name the old key by: its id, or the fingerprint of its public half."""
    key_id = view.status["replacement"]["previousKeyId"]
    need = ArtefactKeyOf(key_id)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    info: ArtefactKeyInfo | None = view.observed.get(need)
    if info is None or info.public_key is None:
        return [key_id]
    return [key_id, fingerprint(info.public_key).hex()]


def _enter(view: View, phase: str) -> None:
    """Begin a phase, and say so at once: it is stored with it."""
    view.status["replacement"]["phase"] = phase
    rewrapping.say(view)


def _do(view: View, action: Action, *, missing_is_done: bool = False) -> Plan | None:
    steps = progress(view.observed, (action,))
    if steps.pending:
        return Plan(view.status, actions=steps.pending)
    if steps.failed is None or (missing_is_done and steps.failed[1].code == "Missing"):
        return None
    return _stuck(view, refusal(view.owner.namespace, *steps.failed))


def _stuck(view: View, denied: Denied) -> Plan:
    view.draft.set(CONDITION, False, denied.reason, denied.message)
    return Plan(view.status, requeue_after=view.draft.next_look(CONDITION))


def _hold(view: View) -> None:
    """While the file is encrypted anew no workload begins: it could meet another file."""
    if view.status["replacement"]["mode"] == "Reencrypt":
        view.draft.set("Ready", False, "Reencrypting", "the file is being encrypted anew")


_WRONG_ANSWER: Final = Denied(
    "ResultMismatch",
    "the Job's answer is not what was asked: check that the masking image and the operator are of"
    " one release",
)
_OTHER_FILE: Final = frozenset({"SourceChanged", "NotSealed", "SealedWithOtherKey"})
"""Another file than the one that was inspected came in its place."""
_STEPS: Final[Mapping[str, Callable[[View], Plan]]] = {
    "Adding": _add,
    "Distributing": _distribute,
    "Draining": _drain,
    "Encrypting": _encrypt,
    "Removing": _remove,
    "Destroying": _destroy,
    "Waiting": _wait_no_longer,
}
