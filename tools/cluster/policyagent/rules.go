package main

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const table = "leeward_policy"

// direction says which end of a packet is the selected pod and which its peer.
type direction struct {
	kind            networkingv1.PolicyType
	chain, own, far string
}

var (
	ingress = direction{networkingv1.PolicyTypeIngress, "ingress_of", "daddr", "saddr"}
	egress  = direction{networkingv1.PolicyTypeEgress, "egress_of", "saddr", "daddr"}
)

// rule is one rule of a policy, the same for both directions.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

// render writes the nftables script that makes this node hold its policies: one chain per selected
// local pod and direction, reached by the pod's address. It replaces the whole table in one
// transaction, so there is no moment without rules, and the same world gives the same text.
//
// Replies of established connections pass; everything from the node itself to its pods passes
// (probes leave through the output hook, which has no rules here). What a pod sends to its own node
// goes through the input hook and is held to its egress rules like everything else. There is no
// IPv6 in the cluster, so link-local traffic between pods is dropped rather than let by.
func render(w world) string {
	var maps, chains strings.Builder
	for _, side := range []direction{ingress, egress} {
		var elements []string
		for _, selected := range sorted(w.pods) {
			policies := w.selecting(selected, side)
			if !selected.local || len(policies) == 0 {
				continue
			}
			name := side.chain + "_" + strings.ReplaceAll(selected.address.String(), ".", "_")
			elements = append(elements, fmt.Sprintf("%s : jump %s", selected.address, name))
			w.writeChain(&chains, name, selected, policies, side)
		}
		fmt.Fprintf(&maps, "\tmap %s { type ipv4_addr : verdict;%s }\n", side.chain, elementsOf(elements))
	}
	var unknown []string
	for _, address := range w.unknown {
		unknown = append(unknown, address.String())
	}
	sort.Strings(unknown)
	fmt.Fprintf(&maps, "\tset unknown { type ipv4_addr;%s }\n", elementsOf(unknown))
	return fmt.Sprintf(`table inet %[1]s
delete table inet %[1]s
table inet %[1]s {
%[2]s%[3]s	chain forward {
		type filter hook forward priority -1; policy accept;
		meta nfproto ipv6 drop
		ct state established,related accept
		ip saddr @unknown drop
		ip daddr @unknown drop
		ip saddr vmap @egress_of
		ip daddr vmap @ingress_of
	}
	chain input {
		type filter hook input priority -1; policy accept;
		iifname "cni0" meta nfproto ipv6 drop
		ct state established,related accept
		ip saddr @unknown drop
		ip saddr vmap @egress_of
	}
}
`, table, maps.String(), chains.String())
}

func (w world) writeChain(
	out *strings.Builder, name string, selected pod, policies []*networkingv1.NetworkPolicy, side direction,
) {
	fmt.Fprintf(out, "\tchain %s { # %s/%s\n", name, selected.namespace, selected.name)
	// A pod always reaches itself, also through a service.
	fmt.Fprintf(out, "\t\tip %s %s return\n", side.far, selected.address)
	for _, policy := range policies {
		for _, r := range rulesOf(policy, side) {
			for _, match := range w.matches(policy.Namespace, selected, r, side) {
				fmt.Fprintf(out, "\t\t%s\n", strings.TrimSpace(match+" return"))
			}
		}
	}
	fmt.Fprint(out, "\t\tcounter drop\n\t}\n")
}

// selecting returns the policies that hold a pod in one direction, in order of their names.
func (w world) selecting(selected pod, side direction) []*networkingv1.NetworkPolicy {
	var found []*networkingv1.NetworkPolicy
	for _, policy := range w.policies {
		if policy.Namespace == selected.namespace && governs(policy, side) &&
			selects(&policy.Spec.PodSelector, selected.labels) {
			found = append(found, policy)
		}
	}
	slices.SortFunc(found, func(a, b *networkingv1.NetworkPolicy) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// governs tells whether a policy speaks about a direction at all. Without policyTypes it speaks
// about ingress, and about egress if it has egress rules.
func governs(policy *networkingv1.NetworkPolicy, side direction) bool {
	if len(policy.Spec.PolicyTypes) == 0 {
		return side.kind == networkingv1.PolicyTypeIngress || len(policy.Spec.Egress) > 0
	}
	return slices.Contains(policy.Spec.PolicyTypes, side.kind)
}

func rulesOf(policy *networkingv1.NetworkPolicy, side direction) []rule {
	var found []rule
	if side.kind == networkingv1.PolicyTypeIngress {
		for _, r := range policy.Spec.Ingress {
			found = append(found, rule{r.From, r.Ports})
		}
		return found
	}
	for _, r := range policy.Spec.Egress {
		found = append(found, rule{r.To, r.Ports})
	}
	return found
}

// matches returns the nftables matches of one rule: each peer with each port.
func (w world) matches(namespace string, selected pod, r rule, side direction) []string {
	var found []string
	peers := w.peerMatches(namespace, r.peers, side)
	if len(r.ports) == 0 {
		return peers
	}
	for _, p := range r.ports {
		protocol := corev1.ProtocolTCP
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		named := p.Port != nil && p.Port.Type == intstr.String
		switch {
		case named && side.kind == networkingv1.PolicyTypeEgress:
			found = append(found, w.namedEgress(namespace, r.peers, port{protocol, p.Port.StrVal})...)
		case named:
			if number, ok := selected.ports[port{protocol, p.Port.StrVal}]; ok {
				found = append(found, cross(peers, portMatch(protocol, number, number))...)
			}
		case p.Port == nil:
			found = append(found, cross(peers, "meta l4proto "+strings.ToLower(string(protocol)))...)
		default:
			last := p.Port.IntVal
			if p.EndPort != nil {
				last = *p.EndPort
			}
			found = append(found, cross(peers, portMatch(protocol, p.Port.IntVal, last))...)
		}
	}
	return found
}

// namedEgress matches a port by name: its number may differ from pod to pod, so the pods are grouped
// by what it means to them.
func (w world) namedEgress(namespace string, peers []networkingv1.NetworkPolicyPeer, wanted port) []string {
	byNumber := map[int32][]netip.Addr{}
	for _, candidate := range w.pods {
		number, ok := candidate.ports[wanted]
		if ok && (len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
			return w.isPeer(namespace, p, candidate)
		})) {
			byNumber[number] = append(byNumber[number], candidate.address)
		}
	}
	var found []string
	for number, addresses := range byNumber {
		found = append(found, addressMatch(egress.far, addresses)+" "+portMatch(wanted.protocol, number, number))
	}
	sort.Strings(found)
	return found
}

// peerMatches returns one match for all pods that are peers and one for each block of addresses; an
// empty match stands for everybody. No result: nobody.
func (w world) peerMatches(namespace string, peers []networkingv1.NetworkPolicyPeer, side direction) []string {
	if len(peers) == 0 {
		return []string{""}
	}
	var found []string
	var addresses []netip.Addr
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if match := blockMatch(side.far, peer.IPBlock); match != "" {
				found = append(found, match)
			}
			continue
		}
		for _, candidate := range w.pods {
			if w.isPeer(namespace, peer, candidate) {
				addresses = append(addresses, candidate.address)
			}
		}
	}
	if len(addresses) > 0 {
		found = append(found, addressMatch(side.far, addresses))
	}
	return found
}

func (w world) isPeer(namespace string, peer networkingv1.NetworkPolicyPeer, candidate pod) bool {
	if peer.IPBlock != nil {
		return false
	}
	if peer.NamespaceSelector == nil {
		if candidate.namespace != namespace {
			return false
		}
	} else if its, ok := w.namespaces[candidate.namespace]; !ok || !selects(peer.NamespaceSelector, its) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, candidate.labels)
}

// selects tells whether a selector matches; one that cannot be understood matches nothing.
func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && compiled.Matches(set)
}

func addressMatch(end string, addresses []netip.Addr) string {
	slices.SortFunc(addresses, netip.Addr.Compare)
	var texts []string
	for _, address := range slices.Compact(addresses) {
		texts = append(texts, address.String())
	}
	return fmt.Sprintf("ip %s { %s }", end, strings.Join(texts, ", "))
}

// blockMatch matches a block of IPv4 addresses without its exceptions. A block that cannot be
// parsed matches nobody; an exception that cannot be parsed takes the whole block with it.
func blockMatch(end string, block *networkingv1.IPBlock) string {
	prefix, err := netip.ParsePrefix(block.CIDR)
	if err != nil || !prefix.Addr().Is4() {
		return ""
	}
	parts := []string{"meta nfproto ipv4"}
	if prefix.Bits() > 0 {
		parts = []string{fmt.Sprintf("ip %s %s", end, prefix.Masked())}
	}
	for _, text := range block.Except {
		except, err := netip.ParsePrefix(text)
		if err != nil || !except.Addr().Is4() || except.Bits() == 0 {
			return ""
		}
		parts = append(parts, fmt.Sprintf("ip %s != %s", end, except.Masked()))
	}
	return strings.Join(parts, " ")
}

func portMatch(protocol corev1.Protocol, first, last int32) string {
	text := fmt.Sprintf("%s dport %d", strings.ToLower(string(protocol)), first)
	if last > first {
		text += fmt.Sprintf("-%d", last)
	}
	return text
}

func cross(peers []string, portText string) []string {
	var found []string
	for _, peer := range peers {
		found = append(found, strings.TrimSpace(peer+" "+portText))
	}
	return found
}

func elementsOf(elements []string) string {
	if len(elements) == 0 {
		return ""
	}
	return " elements = { " + strings.Join(elements, ", ") + " }"
}

func sorted(pods []pod) []pod {
	ordered := slices.Clone(pods)
	slices.SortFunc(ordered, func(a, b pod) int { return a.address.Compare(b.address) })
	return ordered
}
