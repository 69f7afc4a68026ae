package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"leeward.dev/tools/cluster/policywire"
)

// started returns an agent that has seen the objects, and the scripts that it loads.
func started(t *testing.T, objects ...runtime.Object) (*agent, *[]string) {
	t.Helper()
	known, err := openRecords(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	a, err := newAgent(ctx, fake.NewClientset(objects...), "n1", known)
	if err != nil {
		t.Fatal(err)
	}
	loaded := &[]string{}
	a.load = func(script string) error {
		*loaded = append(*loaded, script)
		return nil
	}
	return a, loaded
}

func object(name, address string, phase corev1.PodPhase) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "clinic", Name: name, UID: "1", Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: "n1"},
		Status:     corev1.PodStatus{Phase: phase, PodIP: address},
	}
}

func denyAll() *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "clinic", Name: "deny"}}
}

func added(name, uid string) policywire.Request {
	return policywire.Request{
		Command: "ADD", Container: "c1", Namespace: "clinic", Name: name, UID: uid, Address: "10.244.0.5",
	}
}

func TestAddReturnsWhenTheRulesStand(t *testing.T) {
	// The pod has no address in its status yet, as before its containers start.
	a, loaded := started(t, object("web", "", corev1.PodPending), denyAll())
	if err := a.handle(added("web", "1")); err != nil {
		t.Fatal(err)
	}
	if len(*loaded) != 1 || !strings.Contains((*loaded)[0], "chain ingress_of_10_244_0_5 { # clinic/web") {
		t.Errorf("no chain for the pod: %q", *loaded)
	}
}

func TestAddFailsWhereTheRulesCannotBeWritten(t *testing.T) {
	a, _ := started(t, object("web", "", corev1.PodPending), denyAll())
	a.load = func(string) error { return errors.New("no nftables") }
	if err := a.handle(added("web", "1")); err == nil {
		t.Error("the pod would start without its rules")
	}
}

func TestUnchangedRulesAreNotWrittenAgain(t *testing.T) {
	a, loaded := started(t, object("web", "10.244.0.5", corev1.PodRunning), denyAll())
	for range 3 {
		if err := a.sync(); err != nil {
			t.Fatal(err)
		}
	}
	if len(*loaded) != 1 {
		t.Errorf("written %d times", len(*loaded))
	}
}

func TestAnAddressWhosePodIsGoneOrAnotherIsCutOff(t *testing.T) {
	for name, announced := range map[string]policywire.Request{
		"gone":                  added("missing", "1"),
		"made again since then": added("web", "2"),
	} {
		t.Run(name, func(t *testing.T) {
			a, loaded := started(t, object("web", "", corev1.PodPending))
			if err := a.records.add(announced); err != nil {
				t.Fatal(err)
			}
			if err := a.sync(); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains((*loaded)[0], "elements = { 10.244.0.5 }") {
				t.Errorf("not cut off:\n%s", (*loaded)[0])
			}
		})
	}
}

func TestAFinishedPodHasNoAddress(t *testing.T) {
	a, loaded := started(t, object("web", "10.244.0.5", corev1.PodSucceeded), denyAll())
	if err := a.sync(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains((*loaded)[0], "10_244_0_5") {
		t.Error("the address may be another pod's by now")
	}
}

func TestRecordsOutliveTheAgent(t *testing.T) {
	folder := t.TempDir()
	first, err := openRecords(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.add(added("web", "1")); err != nil {
		t.Fatal(err)
	}
	// What a crash in the middle of writing leaves.
	if err := os.WriteFile(filepath.Join(folder, "c2.new"), []byte(`{"comm`), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := openRecords(folder)
	if err != nil {
		t.Fatal(err)
	}
	if all := second.all(); len(all) != 1 || all[0] != added("web", "1") {
		t.Errorf("read back %v", all)
	}
	if err := second.remove("c1"); err != nil {
		t.Fatal(err)
	}
	if third, _ := openRecords(folder); len(third.all()) != 0 {
		t.Error("a removed record came back")
	}
}

func TestRecordsRefuseNonsense(t *testing.T) {
	known, err := openRecords(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bad := added("web", "1")
	bad.Container = "../../etc/passwd"
	if known.add(bad) == nil || known.remove(bad.Container) == nil {
		t.Error("a path was taken as a container id")
	}
	bad = added("web", "1")
	bad.Address = "fd00::1"
	if known.add(bad) == nil {
		t.Error("an IPv6 address was taken")
	}
}
