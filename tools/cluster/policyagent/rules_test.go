package main

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func at(namespace, name, address string, local bool, set labels.Set) pod {
	return pod{namespace, name, set, netip.MustParseAddr(address), map[port]int32{}, local}
}

// clinic is a world with a web and a database pod on this node, a reader on another node, and a
// pod of another team.
func clinic(policies ...*networkingv1.NetworkPolicy) world {
	web := at("clinic", "web", "10.244.0.10", true, labels.Set{"app": "web"})
	web.ports[port{corev1.ProtocolTCP, "http"}] = 8080
	db := at("clinic", "db", "10.244.0.11", true, labels.Set{"app": "db"})
	db.ports[port{corev1.ProtocolTCP, "sql"}] = 5432
	return world{
		pods: []pod{
			web, db,
			at("clinic", "reader", "10.244.1.10", false, labels.Set{"app": "reader"}),
			at("audit", "reader", "10.244.1.11", false, labels.Set{"app": "reader"}),
		},
		namespaces: map[string]labels.Set{"clinic": {"team": "care"}, "audit": {"team": "audit"}},
		policies:   policies,
	}
}

func policyFor(app string, spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
	spec.PodSelector = selector("app", app)
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "clinic", Name: "p"}, Spec: spec,
	}
}

func selector(key, value string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func pointer[T any](value T) *T { return &value }

// body returns the rules of one chain without the ones that every chain has; nil: no such chain.
func body(script, chain string) []string {
	_, rest, found := strings.Cut(script, "chain "+chain+" {")
	if !found {
		return nil
	}
	text, _, _ := strings.Cut(rest, "\t}\n")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	inner := []string{}
	for _, line := range lines[2 : len(lines)-1] {
		inner = append(inner, strings.TrimSpace(line))
	}
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "counter drop" {
		panic("chain does not end with a drop: " + last)
	}
	return inner
}

func TestRules(t *testing.T) {
	web, db := "ingress_of_10_244_0_10", "ingress_of_10_244_0_11"
	webOut := "egress_of_10_244_0_10"
	tcp := func(p intstr.IntOrString) networkingv1.NetworkPolicyPort {
		return networkingv1.NetworkPolicyPort{Port: &p}
	}
	ingressFrom := func(peers []networkingv1.NetworkPolicyPeer, ports ...networkingv1.NetworkPolicyPort) networkingv1.NetworkPolicySpec {
		return networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{From: peers, Ports: ports}}}
	}
	egressTo := func(peers []networkingv1.NetworkPolicyPeer, ports ...networkingv1.NetworkPolicyPort) networkingv1.NetworkPolicySpec {
		return networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress:      []networkingv1.NetworkPolicyEgressRule{{To: peers, Ports: ports}},
		}
	}
	reader := selector("app", "reader")
	audit := selector("team", "audit")
	for name, c := range map[string]struct {
		app   string
		spec  networkingv1.NetworkPolicySpec
		chain string
		want  []string
	}{
		"no rule denies all":          {"web", networkingv1.NetworkPolicySpec{}, web, []string{}},
		"other pods are left alone":   {"web", networkingv1.NetworkPolicySpec{}, db, nil},
		"no policyTypes, no egress":   {"web", networkingv1.NetworkPolicySpec{}, webOut, nil},
		"an empty rule allows all":    {"web", ingressFrom(nil), web, []string{"return"}},
		"an empty egress denies all":  {"web", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Egress"}}, webOut, []string{}},
		"egress only leaves ingress":  {"web", egressTo(nil), web, nil},
		"pods of the same namespace":  {"web", ingressFrom([]networkingv1.NetworkPolicyPeer{{PodSelector: &reader}}), web, []string{"ip saddr { 10.244.1.10 } return"}},
		"pods of other namespaces":    {"web", ingressFrom([]networkingv1.NetworkPolicyPeer{{NamespaceSelector: &audit}}), web, []string{"ip saddr { 10.244.1.11 } return"}},
		"both selectors must match":   {"web", ingressFrom([]networkingv1.NetworkPolicyPeer{{NamespaceSelector: &audit, PodSelector: pointer(selector("app", "web"))}}), web, []string{}},
		"an empty namespace selector": {"db", ingressFrom([]networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}, PodSelector: &reader}}), db, []string{"ip saddr { 10.244.1.10, 10.244.1.11 } return"}},
		"two peers are one set":       {"db", ingressFrom([]networkingv1.NetworkPolicyPeer{{PodSelector: &reader}, {NamespaceSelector: &audit}}), db, []string{"ip saddr { 10.244.1.10, 10.244.1.11 } return"}},
		"a block with exceptions": {
			"web", ingressFrom([]networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.244.0.0/16", Except: []string{"10.244.1.0/24", "10.244.1.0/28"}}}}), web,
			[]string{"ip saddr 10.244.0.0/16 ip saddr != 10.244.1.0/24 ip saddr != 10.244.1.0/28 return"},
		},
		"every IPv4 address":          {"web", ingressFrom([]networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0"}}}), web, []string{"meta nfproto ipv4 return"}},
		"IPv6 is nobody":              {"web", ingressFrom([]networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "::/0"}}}), web, []string{}},
		"a port is TCP by default":    {"web", ingressFrom(nil, tcp(intstr.FromInt32(80))), web, []string{"tcp dport 80 return"}},
		"a range of ports":            {"web", ingressFrom(nil, networkingv1.NetworkPolicyPort{Protocol: pointer(corev1.ProtocolUDP), Port: pointer(intstr.FromInt32(80)), EndPort: pointer(int32(90))}), web, []string{"udp dport 80-90 return"}},
		"a protocol without port":     {"web", ingressFrom(nil, networkingv1.NetworkPolicyPort{Protocol: pointer(corev1.ProtocolSCTP)}), web, []string{"meta l4proto sctp return"}},
		"a named port, of the pod":    {"web", ingressFrom(nil, tcp(intstr.FromString("http"))), web, []string{"tcp dport 8080 return"}},
		"a named port it lacks":       {"db", ingressFrom(nil, tcp(intstr.FromString("http"))), db, []string{}},
		"a named port, of the peer":   {"web", egressTo([]networkingv1.NetworkPolicyPeer{{PodSelector: pointer(selector("app", "db"))}}, tcp(intstr.FromString("sql"))), webOut, []string{"ip daddr { 10.244.0.11 } tcp dport 5432 return"}},
		"a named port, of anybody":    {"web", egressTo(nil, tcp(intstr.FromString("sql"))), webOut, []string{"ip daddr { 10.244.0.11 } tcp dport 5432 return"}},
		"each peer with each port":    {"db", ingressFrom([]networkingv1.NetworkPolicyPeer{{PodSelector: &reader}, {IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8"}}}, tcp(intstr.FromInt32(1)), tcp(intstr.FromInt32(2))), db, []string{"ip saddr 10.0.0.0/8 tcp dport 1 return", "ip saddr { 10.244.1.10 } tcp dport 1 return", "ip saddr 10.0.0.0/8 tcp dport 2 return", "ip saddr { 10.244.1.10 } tcp dport 2 return"}},
		"a bad exception is nobody":   {"web", ingressFrom([]networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"x"}}}}), web, []string{}},
		"a bad selector selects none": {"web", ingressFrom([]networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Odd"}}}}}), web, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			script := render(clinic(policyFor(c.app, c.spec)))
			got := body(script, c.chain)
			if (got == nil) != (c.want == nil) || strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("chain %s holds %q, want %q", c.chain, got, c.want)
			}
			check(t, script)
		})
	}
}

func TestPoliciesAddUp(t *testing.T) {
	first := policyFor("web", networkingv1.NetworkPolicySpec{})
	second := policyFor("web", networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}})
	second.Name = "q"
	got := body(render(clinic(first, second)), "ingress_of_10_244_0_10")
	if strings.Join(got, ";") != "return" {
		t.Errorf("a second policy must allow what the first does not: %q", got)
	}
}

func TestPolicyOfAnotherNamespaceSelectsNothing(t *testing.T) {
	policy := policyFor("web", networkingv1.NetworkPolicySpec{})
	policy.Namespace = "audit"
	if strings.Contains(render(clinic(policy)), "counter drop") {
		t.Error("a policy reached a pod of another namespace")
	}
}

func TestPodsOfOtherNodesHaveNoChain(t *testing.T) {
	if strings.Contains(render(clinic(policyFor("reader", networkingv1.NetworkPolicySpec{}))), "counter drop") {
		t.Error("a pod of another node has a chain here")
	}
}

func TestUnknownAddressIsCutOff(t *testing.T) {
	w := clinic()
	w.unknown = []netip.Addr{netip.MustParseAddr("10.244.0.77")}
	script := render(w)
	if !strings.Contains(script, "set unknown { type ipv4_addr; elements = { 10.244.0.77 } }") {
		t.Errorf("unknown address not in its set:\n%s", script)
	}
	check(t, script)
}

func TestSameWorldGivesSameText(t *testing.T) {
	one, two := clinic(policyFor("web", networkingv1.NetworkPolicySpec{})), clinic(policyFor("web", networkingv1.NetworkPolicySpec{}))
	two.pods[0], two.pods[3] = two.pods[3], two.pods[0]
	if render(one) != render(two) {
		t.Error("the order in which pods are listed changes the text")
	}
}

// check has nft itself read the script, where it is there and we may.
func check(t *testing.T, script string) {
	t.Helper()
	path, err := exec.LookPath("nft")
	if err != nil || os.Geteuid() != 0 {
		return
	}
	command := exec.Command("unshare", "--net", path, "--check", "-f", "-")
	command.Stdin = strings.NewReader(script)
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("nft refuses the script: %v\n%s\n%s", err, output, script)
	}
}
