package peers

func HAProxy() Peer {
	return Peer{Name: "haproxy", Can: never, Needs: func(World) []string { return nil }}
}
