"""Joins everything: plans, engine, Kubernetes, Kopf. The only module that knows them all."""

import datetime
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import aiohttp
import kopf
from kubernetes.aio.client import Configuration

from leeward.api import KINDS_BY_NAME
from leeward.api.keydelivery import KEYDELIVERY
from leeward.api.keyvault import KEYVAULT
from leeward.api.maskingjob import MASKINGJOB
from leeward.api.meta import API_VERSION
from leeward.app.accesses import AccessRecorder
from leeward.app.deliveryfigures import DeliveryFigures
from leeward.app.edge import Figures, KopfLogin, kopf_registry, kopf_settings, watched_paths
from leeward.app.keyfigures import KeyFigures
from leeward.app.keymetrics import KeyCollector
from leeward.app.metrics import OperatorMetrics, States
from leeward.app.privacyfigures import PrivacyFigures
from leeward.app.probes import Health, LoopLag, WatchAges
from leeward.app.rootrotation import RootKeyRotator
from leeward.app.settings import Settings
from leeward.app.sweep import Sweeper
from leeward.app.transit import surroundings, transit_pool
from leeward.app.usage import UsageKeeper
from leeward.engine.controller import Controller, Pace
from leeward.engine.echoes import Echoes
from leeward.engine.inventory import Key
from leeward.engine.ratelimit import TokenBucket
from leeward.engine.reconciler import Reconciler
from leeward.engine.steps import Steps
from leeward.keystore.providers.pool import TransitPool
from leeward.keystore.records import is_wrapped
from leeward.keystore.rootrotation import RootKeyRotation
from leeward.keystore.store import EmbeddedKeyStore
from leeward.kube.client import KubeClient
from leeward.kube.events import EventRecorder
from leeward.kube.lease import LeaderLease, LeaseTimes
from leeward.kube.objects import ObjectStore
from leeward.kube.pods import PodHttp
from leeward.kube.recent import RecentObjects
from leeward.kube.transport import HttpTransport
from leeward.plans.dataset import DatasetPlanner
from leeward.plans.datasetpreview import DatasetPreviewPlanner
from leeward.plans.keydelivery import KeyDeliveryPlanner
from leeward.plans.keyvault import KeyVaultPlanner
from leeward.plans.maskingjob import MaskingJobPlanner
from leeward.plans.shared.conditions import NOT_YET, timestamp
from leeward.plans.shared.model import Context, Planner

PLANNERS: Final[Mapping[str, Planner]] = {
    planner.kind.kind: planner
    for planner in (
        KeyVaultPlanner(),
        DatasetPlanner(),
        DatasetPreviewPlanner(),
        MaskingJobPlanner(),
        KeyDeliveryPlanner(),
    )
}
"""By kind."""

CHILDREN: Final[tuple[tuple[str, str], ...]] = tuple(
    sorted(
        {
            child
            for planner in PLANNERS.values()
            for child in planner.children
            if child[0] != API_VERSION
        }
    )
)
"""(apiVersion, kind) of what plans make and want to hear of."""


@dataclass(frozen=True, slots=True)
class Operator:
    """All parts of one process, joined and not yet started."""

    settings: Settings
    transports: tuple[HttpTransport, ...]
    client: KubeClient
    pod_session: aiohttp.ClientSession
    keys: EmbeddedKeyStore
    transit: TransitPool
    controller: Controller
    recorder: EventRecorder
    lease: LeaderLease
    sweeper: Sweeper
    rotator: RootKeyRotator
    usage: UsageKeeper
    metrics: OperatorMetrics
    lag: LoopLag
    watches: WatchAges
    health: Health
    registry: kopf.OperatorRegistry
    kopf_settings: kopf.OperatorSettings

    async def close(self) -> None:
        """Close all connections."""
        await self.pod_session.close()
        await self.transit.close()
        for transport in self.transports:
            await transport.close()


def now() -> datetime.datetime:
    """Time now, UTC."""
    return datetime.datetime.now(datetime.UTC)


def elapsed() -> float:
    """Seconds since some moment; also those in which the machine slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wire(settings: Settings, configuration: Configuration) -> Operator:
    """Join the parts. Must run on the event loop on which they are to work."""
    metrics = OperatorMetrics()
    # The lease has connections of its own: it must not wait behind requests that wait.
    transport, lease_transport = HttpTransport(configuration), HttpTransport(configuration)
    limiter = TokenBucket(settings.max_requests, settings.burst)
    lease = _lease(settings, KubeClient(lease_transport, limiter, metrics))
    recent = recent_objects(settings.namespace, lambda: lease.holds, elapsed)
    client = KubeClient(transport, limiter, metrics, recent)
    objects = ObjectStore(client, settings.watch_namespaces)
    pool = transit_pool(settings, client, metrics)
    keys = EmbeddedKeyStore(
        client,
        settings.namespace,
        secrets.token_bytes,
        now,
        surroundings(pool, client, metrics),
    )
    pod_session = aiohttp.ClientSession()
    recorder = _recorder(settings, client)
    echoes = Echoes()
    steps = Steps(objects, keys, PodHttp(pod_session), echoes, frozenset(PLANNERS))
    context = partial(_context, settings)
    sweeper = Sweeper(
        unpublished=keys.unpublished_keys, steps=steps, context=context, interval=settings.sweep
    )
    controller = Controller(
        reconciler=_reconciler(objects, steps, recorder, echoes, context, metrics),
        echoes=echoes,
        meter=metrics,
        pace=Pace(workers=settings.workers, resync=settings.resync),
        unit_random=random.random,
        on_gone=partial(_sweep_after, sweeper),
    )
    lag = LoopLag()
    watches = WatchAges(watched_paths(CHILDREN, settings.watch_namespaces))
    login = KopfLogin(configuration, watches, metrics, objects.forget)
    rotator = _rotator(settings, client, keys)
    metrics.show(_states(controller, sweeper, lag, watches))
    figures = _figures(metrics, keys, rotator)
    return Operator(
        settings=settings,
        transports=(transport, lease_transport),
        client=client,
        pod_session=pod_session,
        keys=keys,
        transit=pool,
        controller=controller,
        recorder=recorder,
        lease=lease,
        sweeper=sweeper,
        rotator=rotator,
        usage=UsageKeeper(keys.usage, keys.count_usage, _waker(controller)),
        metrics=metrics,
        lag=lag,
        watches=watches,
        health=_health(controller, lag, watches),
        registry=kopf_registry(controller, CHILDREN, login, figures, objects.shown),
        kopf_settings=kopf_settings(CHILDREN),
    )


def recent_objects(
    namespace: str, trusted: Callable[[], bool], elapsed: Callable[[], float]
) -> RecentObjects:
    """What need not be read again at once: all that is watched, and what few others write.

    Args:
        namespace: Of the operator.
        trusted: See ``RecentObjects``.
        elapsed: See ``RecentObjects``.
    """
    remembered = {(API_VERSION, kind) for kind in PLANNERS} | {*CHILDREN}
    remembered |= {("v1", "PersistentVolumeClaim")}
    remembered -= {("v1", "Pod")}  # never read by name
    return RecentObjects(
        lambda ref: (ref.api_version, ref.kind) in remembered or is_wrapped(ref, namespace),
        trusted,
        elapsed,
    )


def _reconciler(
    objects: ObjectStore,
    steps: Steps,
    recorder: EventRecorder,
    echoes: Echoes,
    context: Callable[[], Context],
    metrics: OperatorMetrics,
) -> Reconciler:
    return Reconciler(
        api_version=API_VERSION,
        planners=PLANNERS,
        objects=objects,
        steps=steps,
        recorder=AccessRecorder(recorder, metrics.registry),
        echoes=echoes,
        context=context,
        progress_reasons=NOT_YET,
    )


def _recorder(settings: Settings, client: KubeClient) -> EventRecorder:
    return EventRecorder(client, instance=settings.pod_name, now=now, random=secrets.token_bytes)


def _rotator(settings: Settings, client: KubeClient, keys: EmbeddedKeyStore) -> RootKeyRotator:
    rotation = RootKeyRotation(
        client,
        settings.namespace,
        keys.root_keys,
        random=secrets.token_bytes,
        monotonic=time.monotonic,
        created_at=lambda: timestamp(now()),
    )
    return RootKeyRotator(rotation.step)


def _waker(controller: Controller) -> Callable[[str, str], None]:
    """How a KeyVault is looked at."""
    return lambda namespace, name: controller.look_again(Key(KEYVAULT.kind, namespace, name))


def _figures(
    metrics: OperatorMetrics, keys: EmbeddedKeyStore, rotator: RootKeyRotator
) -> dict[str, Figures]:
    """Kind -> who keeps figures of it; they are served."""
    vaults, deliveries = KeyFigures(), DeliveryFigures()
    collector = KeyCollector(
        figures=vaults,
        artefact_keys=keys.usage.states,
        stuck=lambda: len(rotator.stuck),
        now=time.time,
    )
    metrics.registry.register(collector)
    metrics.registry.register(deliveries)
    outputs = PrivacyFigures()
    metrics.registry.register(outputs)
    return {KEYVAULT.kind: vaults, KEYDELIVERY.kind: deliveries, MASKINGJOB.kind: outputs}


def _sweep_after(sweeper: Sweeper, key: Key) -> None:
    if KINDS_BY_NAME[key.kind].is_workload:
        sweeper.soon()


def _context(settings: Settings) -> Context:
    return Context(
        now=now(),
        random=secrets.token_bytes,
        operator_namespace=settings.namespace,
        masking_image=settings.masking_image,
        masking_models_image=settings.masking_models_image,
        image_pull_policy=settings.image_pull_policy,
        image_pull_secrets=settings.image_pull_secrets,
        operator_pod_labels=settings.operator_pod_labels,
        name_servers=settings.name_servers,
    )


def _states(controller: Controller, sweeper: Sweeper, lag: LoopLag, watches: WatchAges) -> States:
    return States(
        leads=lambda: controller.leads,
        queue_depth=lambda: controller.queue.depth,
        queue_age=controller.queue.oldest_age,
        running=lambda: controller.queue.running,
        loop_lag=lambda: lag.seconds,
        watch_ages=watches.ages,
        damaged=lambda: sweeper.damaged,
        resources=controller.inventory.counts,
    )


def _health(controller: Controller, lag: LoopLag, watches: WatchAges) -> Health:
    age = controller.queue.oldest_age
    return Health(loop_lag=lambda: lag.seconds, queue_age=age, watches=watches)


def _lease(settings: Settings, client: KubeClient) -> LeaderLease:
    return LeaderLease(
        client,
        namespace=settings.namespace,
        name=settings.lease_name,
        identity=f"{settings.pod_name}_{secrets.token_hex(4)}",
        times=LeaseTimes(
            duration=settings.lease_duration,
            renew_deadline=settings.lease_renew_deadline,
            retry=settings.lease_retry,
        ),
        now=now,
        elapsed=elapsed,
    )
