package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// joined returns the relay's address in front of a server that sends back what it reads.
func joined(t *testing.T) string {
	t.Helper()
	listen := func() net.Listener {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		return listener
	}
	server, front := listen(), listen()
	go func() {
		for {
			connection, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				io.Copy(connection, connection)
			}()
		}
	}()
	go func() {
		for {
			connection, err := front.Accept()
			if err != nil {
				return
			}
			go serve(connection.(*net.TCPConn), server.Addr().String())
		}
	}()
	return front.Addr().String()
}

// Each client closes its sending side first, as `kubectl exec` with input does, and must still get
// everything back.
func TestManyHalfClosedConnectionsGetEverythingBack(t *testing.T) {
	address := joined(t)
	sent := make([]byte, 1<<20)
	var all sync.WaitGroup
	for range 100 {
		all.Add(1)
		go func() {
			defer all.Done()
			connection, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			go func() {
				connection.Write(sent)
				connection.(*net.TCPConn).CloseWrite()
			}()
			if got, err := io.ReadAll(connection); err != nil || len(got) != len(sent) {
				t.Errorf("got %d of %d bytes: %v", len(got), len(sent), err)
			}
		}()
	}
	all.Wait()
}

func TestNobodyBehindTheRelayClosesTheConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := listener.Addr().String()
	listener.Close()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	go func() {
		connection, err := front.Accept()
		if err == nil {
			serve(connection.(*net.TCPConn), target)
		}
	}()
	client, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the client is left waiting")
	}
}
