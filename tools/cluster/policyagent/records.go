package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"leeward.dev/tools/cluster/policywire"
)

var containerID = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,128}$`)

// records are the addresses of this node's pods as the network plugin announced them, one file per
// sandbox, so that an agent that starts again knows them at once.
type records struct {
	folder string
	lock   sync.Mutex
	byID   map[string]policywire.Request
}

func openRecords(folder string) (*records, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	found := &records{folder: folder, byID: map[string]policywire.Request{}}
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(folder, file.Name()))
		var one policywire.Request
		// A file that was being written when the agent died belongs to a pod that never started.
		if err != nil || json.Unmarshal(data, &one) != nil || one.Container != file.Name() {
			os.Remove(filepath.Join(folder, file.Name()))
			continue
		}
		found.byID[one.Container] = one
	}
	return found, nil
}

func (r *records) add(one policywire.Request) error {
	if !containerID.MatchString(one.Container) {
		return fmt.Errorf("bad container id")
	}
	address, err := netip.ParseAddr(one.Address)
	if err != nil || !address.Is4() || one.Namespace == "" || one.Name == "" {
		return fmt.Errorf("a pod needs a namespace, a name and an IPv4 address")
	}
	data, err := json.Marshal(one)
	if err != nil {
		return err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	path := filepath.Join(r.folder, one.Container)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	r.byID[one.Container] = one
	return nil
}

func (r *records) remove(container string) error {
	if !containerID.MatchString(container) {
		return fmt.Errorf("bad container id")
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if err := os.Remove(filepath.Join(r.folder, container)); err != nil && !os.IsNotExist(err) {
		return err
	}
	delete(r.byID, container)
	return nil
}

func (r *records) all() []policywire.Request {
	r.lock.Lock()
	defer r.lock.Unlock()
	var found []policywire.Request
	for _, one := range r.byID {
		found = append(found, one)
	}
	return found
}
