// Command age seals and opens one file by the library of age (filippo.io/age), for tests/bench/bench_seal.py.
//
// It prints the seconds that it took, from opening the source to the end of fsync, and uses buffers
// of 1 MiB on both sides. age encrypts by ChaCha20-Poly1305 in chunks of 64 KiB.
//
//	age key
//	age seal|open SOURCE TARGET IDENTITY
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	"filippo.io/age"
)

const buffer = 1 << 20

func main() {
	if len(os.Args) == 2 && os.Args[1] == "key" {
		made, err := age.GenerateX25519Identity()
		fail(err)
		fmt.Println(made)
		return
	}
	if len(os.Args) != 5 {
		fail(fmt.Errorf("usage: age key | age seal|open SOURCE TARGET IDENTITY"))
	}
	identity, err := age.ParseX25519Identity(os.Args[4])
	fail(err)
	begin := time.Now()
	source, err := os.Open(os.Args[2])
	fail(err)
	target, err := os.Create(os.Args[3])
	fail(err)
	if os.Args[1] == "seal" {
		seal(source, target, identity)
	} else {
		open(source, target, identity)
	}
	fail(target.Sync())
	fail(target.Close())
	fmt.Printf("%.6f\n", time.Since(begin).Seconds())
}

func seal(source io.Reader, target io.Writer, identity *age.X25519Identity) {
	buffered := bufio.NewWriterSize(target, buffer)
	sealed, err := age.Encrypt(buffered, identity.Recipient())
	fail(err)
	// Without its WriteTo, which takes a buffer of its own.
	_, err = io.CopyBuffer(sealed, struct{ io.Reader }{source}, make([]byte, buffer))
	fail(err)
	fail(sealed.Close())
	fail(buffered.Flush())
}

func open(source io.Reader, target io.Writer, identity *age.X25519Identity) {
	plain, err := age.Decrypt(bufio.NewReaderSize(source, buffer), identity)
	fail(err)
	buffered := bufio.NewWriterSize(target, buffer)
	_, err = buffered.ReadFrom(plain)
	fail(err)
	fail(buffered.Flush())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
