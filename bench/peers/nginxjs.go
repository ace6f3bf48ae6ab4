package peers

func NginxJS() Peer {
	return Peer{Name: "nginxjs", Can: never, Needs: func(World) []string { return nil }}
}
