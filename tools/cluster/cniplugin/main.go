// Command cniplugin is the last plugin of the pod network: it has the policy agent guard a pod
// before the pod's containers start. Where the agent does not answer, the pod does not start: there
// is no moment in which a pod runs without its NetworkPolicies.
//
// Source: Container Network Interface specification 1.0.0.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"leeward.dev/tools/cluster/policywire"
)

const patience = 20 * time.Second

type config struct {
	Version  string          `json:"cniVersion"`
	Socket   string          `json:"socket"`
	Previous json.RawMessage `json:"prevResult"`
}

type result struct {
	IPs []struct {
		Address string `json:"address"`
	} `json:"ips"`
}

func main() {
	var given config
	output, err := run(os.Getenv("CNI_COMMAND"), os.Stdin, &given)
	if err != nil {
		failure := map[string]any{"cniVersion": given.Version, "code": 100, "msg": err.Error()}
		json.NewEncoder(os.Stdout).Encode(failure)
		os.Exit(1)
	}
	os.Stdout.Write(output)
}

func run(command string, input io.Reader, given *config) ([]byte, error) {
	if command == "VERSION" {
		return []byte(`{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}`), nil
	}
	if err := json.NewDecoder(input).Decode(given); err != nil {
		return nil, fmt.Errorf("network configuration: %w", err)
	}
	request, err := requestFor(command, os.Getenv("CNI_CONTAINERID"), os.Getenv("CNI_ARGS"), given.Previous)
	if err != nil || request == nil {
		return nil, err
	}
	if err := ask(given.Socket, *request); err != nil {
		return nil, err
	}
	if command == "ADD" {
		return given.Previous, nil
	}
	return nil, nil
}

// requestFor makes the request to the agent, nil where there is nothing to ask (CHECK).
func requestFor(command, container, arguments string, previous json.RawMessage) (*policywire.Request, error) {
	switch command {
	case "CHECK":
		return nil, nil
	case "DEL":
		return &policywire.Request{Command: command, Container: container}, nil
	case "ADD":
	default:
		return nil, fmt.Errorf("unknown CNI_COMMAND %q", command)
	}
	var before result
	if err := json.Unmarshal(previous, &before); err != nil || len(before.IPs) == 0 {
		return nil, errors.New("the plugin before gave the pod no address")
	}
	named := map[string]string{}
	for _, pair := range strings.Split(arguments, ";") {
		key, value, _ := strings.Cut(pair, "=")
		named[key] = value
	}
	address, _, _ := strings.Cut(before.IPs[0].Address, "/")
	return &policywire.Request{
		Command:   command,
		Container: container,
		Namespace: named["K8S_POD_NAMESPACE"],
		Name:      named["K8S_POD_NAME"],
		UID:       named["K8S_POD_UID"],
		Address:   address,
	}, nil
}

// ask sends the request, trying again while the agent is just starting.
func ask(socket string, request policywire.Request) error {
	deadline := time.Now().Add(patience)
	connection, err := net.Dial("unix", socket)
	for err != nil && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		connection, err = net.Dial("unix", socket)
	}
	if err != nil {
		return fmt.Errorf("the policy agent does not answer: %w", err)
	}
	defer connection.Close()
	connection.SetDeadline(deadline)
	var reply policywire.Reply
	if err := json.NewEncoder(connection).Encode(request); err != nil {
		return fmt.Errorf("asking the policy agent: %w", err)
	}
	if err := json.NewDecoder(connection).Decode(&reply); err != nil {
		return fmt.Errorf("the policy agent did not reply: %w", err)
	}
	if reply.Error != "" {
		return fmt.Errorf("the policy agent refused: %s", reply.Error)
	}
	return nil
}
