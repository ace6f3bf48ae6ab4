package peers

func Caddy() Peer {
	return Peer{Name: "caddy", Can: never, Needs: func(World) []string { return nil }}
}
