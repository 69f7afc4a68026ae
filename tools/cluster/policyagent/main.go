// Command policyagent holds the NetworkPolicies of one node by nftables in the node's network
// namespace: the pod network of the local cluster, a plain bridge, does not know them.
//
// It fails closed: a pod starts only when its rules stand (the network plugin asks for them over a
// socket), rules that cannot be replaced stay as they were, they outlive the agent, and an address
// whose pod is not known is cut off.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"leeward.dev/tools/cluster/policywire"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	node := flag.String("node", "", "name of this node")
	socket := flag.String("socket", "", "where the network plugin asks")
	folder := flag.String("state", "", "where announced pods are recorded")
	flag.Parse()
	if err := serve(*kubeconfig, *node, *socket, *folder); err != nil {
		log.Fatalf("policy agent: %v", err)
	}
}

func serve(kubeconfig, node, socket, folder string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	known, err := openRecords(folder)
	if err != nil {
		return err
	}
	a, err := newAgent(ctx, client, node, known)
	if err != nil {
		return err
	}
	if err := a.sync(); err != nil {
		return err
	}
	// Only now: a plugin that finds no socket waits, and the pod with it.
	os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer listener.Close()
	go accept(listener, a)
	a.run(ctx)
	return nil
}

func accept(listener net.Listener, a *agent) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			connection.SetDeadline(time.Now().Add(30 * time.Second))
			var request policywire.Request
			var reply policywire.Reply
			if err := json.NewDecoder(connection).Decode(&request); err != nil {
				reply.Error = "request: " + err.Error()
			} else if err := a.handle(request); err != nil {
				reply.Error = err.Error()
			}
			json.NewEncoder(connection).Encode(reply)
		}()
	}
}
