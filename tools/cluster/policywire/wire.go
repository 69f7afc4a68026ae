// Package policywire is what the network plugin says to the policy agent of its node: one request
// and one reply, each a JSON document, over a Unix socket.
package policywire

// Request announces a pod's address before its containers start, or takes it back.
type Request struct {
	Command   string `json:"command"` // ADD or DEL
	Container string `json:"container"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	UID       string `json:"uid,omitempty"`
	Address   string `json:"address,omitempty"`
}

// Reply is empty when the pod is guarded (ADD) or forgotten (DEL).
type Reply struct {
	Error string `json:"error,omitempty"`
}
