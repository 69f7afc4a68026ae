// Command relay joins the machine's loopback to the API server inside a node's network namespace.
//
// It inherits a listening socket, opened in the machine's own namespace, and runs in the
// node's namespace, so that it needs no rights of its own and both sides are where they belong.
package main

import (
	"flag"
	"io"
	"log"
	"net"
	"os"
	"sync"
	"time"
)

func main() {
	file := flag.Int("listener", 3, "number of the inherited listening socket")
	target := flag.String("to", "127.0.0.1:6443", "address inside the node")
	flag.Parse()
	listener, err := net.FileListener(os.NewFile(uintptr(*file), "listener"))
	if err != nil {
		log.Fatalf("relay: file %d is no listening socket: %v", *file, err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			// Out of files for the moment; clients wait in the queue of the socket.
			log.Printf("relay: accept: %v", err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		go serve(client.(*net.TCPConn), *target)
	}
}

// serve copies both ways until both ends have finished; the kernel moves the bytes (splice).
func serve(client *net.TCPConn, target string) {
	defer client.Close()
	dialer := net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	upstream, err := dialer.Dial("tcp", target)
	if err != nil {
		return
	}
	server := upstream.(*net.TCPConn)
	defer server.Close()
	var both sync.WaitGroup
	both.Add(2)
	go forward(server, client, &both)
	go forward(client, server, &both)
	both.Wait()
}

// forward copies until the source ends and then tells the destination so, which lets a half-closed
// connection (exec, port-forward) drain. An error ends both directions.
func forward(to, from *net.TCPConn, both *sync.WaitGroup) {
	defer both.Done()
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}
