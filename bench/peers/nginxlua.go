package peers

func NginxLua() Peer {
	return Peer{Name: "nginxlua", Can: never, Needs: func(World) []string { return nil }}
}
