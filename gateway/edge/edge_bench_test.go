package edge

import (
	"net/http"
	"testing"
)

// BenchmarkRead is what every request pays at the door.
func BenchmarkRead(b *testing.B) {
	door := NewDoor([]string{"X-User-*", "X-Auth-*", "X-Role", "X-Tenant-*", "X-Branch"}, []string{"X-User-Id"}, []string{"X-Purpose"})
	for name, target := range map[string]string{"plain": "/api/employees/7?page=2&size=50", "encoded": "/api/caf%C3%A9/a%20b?q=caf%C3%A9"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := &http.Request{Method: "GET", RequestURI: target, Host: "api.example.com:8443", ProtoMajor: 1, Header: http.Header{
				"Accept": {"*/*"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"en"}, "Authorization": {"Bearer x"}, "User-Agent": {"curl"},
				"Cookie": {"a=1; b=2"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Referer": {"https://app.example.com/"},
			}}
			for b.Loop() {
				if _, err := door.Read(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
