package main

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// port names a container port as a policy does.
type port struct {
	protocol corev1.Protocol
	name     string
}

// pod is what policies see of a pod.
type pod struct {
	namespace, name string
	labels          labels.Set
	address         netip.Addr
	ports           map[port]int32 // named container ports
	local           bool           // runs on this node
}

// world is everything that decides the rules of one node.
type world struct {
	pods       []pod
	namespaces map[string]labels.Set
	policies   []*networkingv1.NetworkPolicy
	// unknown are addresses on this node whose pod the API server does not know (any more):
	// nothing is allowed for them.
	unknown []netip.Addr
}

// podFrom takes from an API object what policies see. The address is given, because the one in the
// status appears only after the containers have started.
func podFrom(object *corev1.Pod, address netip.Addr, local bool) pod {
	found := pod{
		namespace: object.Namespace,
		name:      object.Name,
		labels:    object.Labels,
		address:   address,
		ports:     map[port]int32{},
		local:     local,
	}
	add := func(container corev1.Container) {
		for _, p := range container.Ports {
			if p.Name != "" {
				found.ports[port{protocolOr(p.Protocol), p.Name}] = p.ContainerPort
			}
		}
	}
	for _, container := range object.Spec.Containers {
		add(container)
	}
	for _, container := range object.Spec.InitContainers {
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(container)
		}
	}
	return found
}

func protocolOr(given corev1.Protocol) corev1.Protocol {
	if given == "" {
		return corev1.ProtocolTCP
	}
	return given
}
