package main

import (
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"leeward.dev/tools/cluster/policywire"
)

const (
	arguments = "IgnoreUnknown=1;K8S_POD_NAMESPACE=clinic;K8S_POD_NAME=web;K8S_POD_UID=1"
	previous  = `{"cniVersion":"1.0.0","ips":[{"address":"10.244.0.5/24"}]}`
)

// agentThatSays listens like the agent, gives one reply and keeps the request.
func agentThatSays(t *testing.T, reply policywire.Reply) (string, *policywire.Request) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	asked := &policywire.Request{}
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		json.NewDecoder(connection).Decode(asked)
		json.NewEncoder(connection).Encode(reply)
	}()
	return path, asked
}

func input(socket string) io.Reader {
	return strings.NewReader(`{"cniVersion":"1.0.0","socket":"` + socket + `","prevResult":` + previous + `}`)
}

func TestAddPassesTheResultOfThePluginBefore(t *testing.T) {
	socket, asked := agentThatSays(t, policywire.Reply{})
	t.Setenv("CNI_CONTAINERID", "c1")
	t.Setenv("CNI_ARGS", arguments)
	output, err := run("ADD", input(socket), &config{})
	if err != nil || string(output) != previous {
		t.Errorf("got %s, %v", output, err)
	}
	want := policywire.Request{
		Command: "ADD", Container: "c1", Namespace: "clinic", Name: "web", UID: "1", Address: "10.244.0.5",
	}
	if *asked != want {
		t.Errorf("asked %+v", *asked)
	}
}

func TestARefusalStopsThePod(t *testing.T) {
	socket, _ := agentThatSays(t, policywire.Reply{Error: "no"})
	t.Setenv("CNI_CONTAINERID", "c1")
	t.Setenv("CNI_ARGS", arguments)
	if _, err := run("ADD", input(socket), &config{}); err == nil {
		t.Error("the pod would start without its rules")
	}
}

func TestDelNeedsNoResultBefore(t *testing.T) {
	request, err := requestFor("DEL", "c1", "", nil)
	if err != nil || *request != (policywire.Request{Command: "DEL", Container: "c1"}) {
		t.Errorf("got %+v, %v", request, err)
	}
}

func TestAddWithoutAnAddressIsRefused(t *testing.T) {
	if _, err := requestFor("ADD", "c1", arguments, json.RawMessage(`{"ips":[]}`)); err == nil {
		t.Error("a pod without an address cannot be guarded")
	}
}

func TestVersionNeedsNoInput(t *testing.T) {
	if output, err := run("VERSION", strings.NewReader(""), &config{}); err != nil || len(output) == 0 {
		t.Errorf("got %s, %v", output, err)
	}
}
