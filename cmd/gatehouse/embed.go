package main

// What a binary finds on an ordinary system and an empty container image lacks:
// the authorities of the web, used only where the system has none, and the time
// zones.
import (
	_ "time/tzdata"

	_ "golang.org/x/crypto/x509roots/fallback"
)
