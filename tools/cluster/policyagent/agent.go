package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net/netip"
	"os/exec"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"

	"leeward.dev/tools/cluster/policywire"
)

const (
	// settle gathers changes that come together, such as those of a deployment.
	settle = 15 * time.Millisecond
	// again is when rules are written even though nothing changed, in case somebody removed them,
	// and when a failed attempt is repeated.
	again = time.Minute
	retry = time.Second
	// patience is how long the API server may be behind the kubelet in telling us of a new pod.
	patience = 10 * time.Second
)

// agent keeps one node's rules in step with policies, pods and namespaces.
type agent struct {
	node       string
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	policies   networkinglisters.NetworkPolicyLister
	records    *records
	changed    chan struct{}
	lock       sync.Mutex // one change of the rules at a time
	written    string
	load       func(script string) error
}

// newAgent watches the cluster; it returns when everything was seen once.
func newAgent(ctx context.Context, client kubernetes.Interface, node string, known *records) (*agent, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(strip))
	a := &agent{
		node:       node,
		pods:       factory.Core().V1().Pods().Lister(),
		namespaces: factory.Core().V1().Namespaces().Lister(),
		policies:   factory.Networking().V1().NetworkPolicies().Lister(),
		records:    known,
		changed:    make(chan struct{}, 1),
		load:       nft,
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { a.touch() },
		UpdateFunc: func(any, any) { a.touch() },
		DeleteFunc: func(any) { a.touch() },
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Core().V1().Pods().Informer(),
		factory.Core().V1().Namespaces().Informer(),
		factory.Networking().V1().NetworkPolicies().Informer(),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return nil, fmt.Errorf("could not list %v", kind)
		}
	}
	return a, nil
}

// strip drops what the agent never looks at, which is most of an object.
func strip(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
		accessor.SetAnnotations(nil)
	}
	return object, nil
}

func (a *agent) touch() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// run writes the rules after each change until the context ends.
func (a *agent) run(ctx context.Context) {
	wait := again
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.changed:
			time.Sleep(settle)
		case <-time.After(wait):
			a.forget()
		}
		wait = again
		if err := a.sync(); err != nil {
			log.Printf("rules not written, the ones before stay: %v", err)
			wait = retry
		}
	}
}

// sync brings the rules to what they should be now.
func (a *agent) sync() error {
	a.lock.Lock()
	defer a.lock.Unlock()
	seen, err := a.look()
	if err != nil {
		return err
	}
	script := render(seen)
	if script == a.written {
		return nil
	}
	if err := a.load(script); err != nil {
		a.written = ""
		return err
	}
	a.written = script
	return nil
}

func (a *agent) forget() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.written = ""
}

// look gathers the world as it is known now.
func (a *agent) look() (world, error) {
	seen := world{namespaces: map[string]labels.Set{}}
	namespaces, err := a.namespaces.List(labels.Everything())
	if err != nil {
		return seen, err
	}
	for _, one := range namespaces {
		seen.namespaces[one.Name] = one.Labels
	}
	if seen.policies, err = a.policies.List(labels.Everything()); err != nil {
		return seen, err
	}
	taken := map[netip.Addr]bool{}
	for _, record := range a.records.all() {
		address := netip.MustParseAddr(record.Address)
		taken[address] = true
		object, err := a.pods.Pods(record.Namespace).Get(record.Name)
		if err != nil || !isSame(object, record) {
			seen.unknown = append(seen.unknown, address)
			continue
		}
		seen.pods = append(seen.pods, podFrom(object, address, true))
	}
	objects, err := a.pods.List(labels.Everything())
	if err != nil {
		return seen, err
	}
	for _, object := range objects {
		address, ok := addressOf(object)
		if ok && !taken[address] {
			seen.pods = append(seen.pods, podFrom(object, address, object.Spec.NodeName == a.node))
		}
	}
	return seen, nil
}

// addressOf returns the address of a pod that uses one: a finished pod's may be another's by now,
// and a pod in the node's network has the node's.
func addressOf(object *corev1.Pod) (netip.Addr, bool) {
	if object.Spec.HostNetwork || object.Status.PodIP == "" ||
		object.Status.Phase == corev1.PodSucceeded || object.Status.Phase == corev1.PodFailed {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(object.Status.PodIP)
	return address, err == nil && address.Is4()
}

func isSame(object *corev1.Pod, record policywire.Request) bool {
	return record.UID == "" || string(object.UID) == record.UID
}

// handle answers the network plugin: after ADD the pod's rules stand.
func (a *agent) handle(request policywire.Request) error {
	switch request.Command {
	case "ADD":
		if err := a.records.add(request); err != nil {
			return err
		}
		deadline := time.Now().Add(patience)
		for !a.knows(request) {
			if time.Now().After(deadline) {
				return fmt.Errorf("pod %s/%s is not known yet", request.Namespace, request.Name)
			}
			time.Sleep(5 * time.Millisecond)
		}
		return a.sync()
	case "DEL":
		if err := a.records.remove(request.Container); err != nil {
			return err
		}
		a.touch()
		return nil
	default:
		return fmt.Errorf("unknown command %q", request.Command)
	}
}

func (a *agent) knows(request policywire.Request) bool {
	object, err := a.pods.Pods(request.Namespace).Get(request.Name)
	return err == nil && isSame(object, request)
}

func nft(script string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, "nft", "-f", "-")
	command.Stdin = bytes.NewBufferString(script)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, output)
	}
	return nil
}
