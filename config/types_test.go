package config

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

func TestSize(t *testing.T) {
	for in, want := range map[string]Size{
		"0": 0, "512": 512, "512B": 512, "1KB": 1000, "32KiB": 32 << 10,
		"10 MiB": 10 << 20, "1GiB": 1 << 30, "9223372036854775807": math.MaxInt64,
	} {
		var got Size
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("%q is %d, %v", in, got, err)
		}
		var again Size
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%q is written as %q, which is %d, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "-1", "1.5MiB", "10mb", "KiB", "9223372036854775807KiB", "1 0"} {
		var got Size
		if err := got.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q is %d", in, got)
		}
	}
}

func TestRate(t *testing.T) {
	for in, want := range map[string]Rate{
		"100/1m": {100, time.Minute}, "5/s": {5, time.Second}, "1/h": {1, time.Hour},
		"3/1m30s": {3, 90 * time.Second}, "1/250ms": {1, 250 * time.Millisecond},
	} {
		var got Rate
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("%q is %v, %v", in, got, err)
		}
		var again Rate
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%q is written as %q, which is %v, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "100", "0/1m", "-1/1m", "1/0s", "1/-1s", "/1m", "1/", "1/d"} {
		var got Rate
		if err := got.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q is %v", in, got)
		}
	}
}

func TestDuration(t *testing.T) {
	var d Duration
	if err := d.UnmarshalText([]byte("1h30m")); err != nil || d.D() != 90*time.Minute {
		t.Errorf("%v, %v", d, err)
	}
	for _, in := range []string{"", "10", "-1s", "soon"} {
		if err := d.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q is %v", in, d)
		}
	}
}

// TestSecretIsNotShown tries every way in which values get printed by accident.
func TestSecretIsNotShown(t *testing.T) {
	v := struct {
		S Secret            `yaml:"s"`
		M map[string]Secret `yaml:"m"`
	}{"hunter2", map[string]Secret{"k": "hunter2"}}
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		string(j), string(y), fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v),
		fmt.Sprintf("%q %s %x %v", v.S, v.S, v.S, v.S),
	} {
		if contains(out, "hunter2") {
			t.Error(out)
		}
	}
	if v.S.Reveal() != "hunter2" {
		t.Error("Reveal does not")
	}
}
