package detect_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

func serves(subject string, records, sensitive int64) func() *detect.Signal {
	return func() *detect.Signal {
		s := answered(200, "", a1, subject)()
		s.Records, s.Sensitive = records, sensitive
		return s
	}
}

func TestDataVolume(t *testing.T) {
	ann := "subject ann;"
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"records", then(times(199, time.Second, serves("ann", 50, 0)), step{0, serves("ann", 50, 0), ann})},
		{"sensitive", then(times(99, time.Second, serves("ann", 50, 50)), step{0, serves("ann", 1, 50), ann})},
		{"all at once", then(step{0, serves("ann", 10_000, 0), ann})},
		{"one less", then(times(1, 0, serves("ann", 9_999, 4_999)), times(9, 0, serves("ann", 0, 0)))},
		{"within 59 minutes for certain", then(times(1, 30*time.Second, serves("ann", 5_000, 0)), step{59*time.Minute - 31*time.Second, serves("ann", 5_000, 0), ann})},
		{"within an hour never", then(times(1, 0, serves("bob", 1, 0)), times(1, 59*time.Second, serves("ann", 5_000, 0)), times(1, time.Hour, serves("ann", 5_000, 0)))},
		{"a little, all day", then(times(600, 5*time.Minute, serves("ann", 800, 400)))},
		{"subjects have their own", then(times(1, 0, serves("ann", 9_999, 0)), times(1, 0, serves("bob", 9_999, 0)), step{0, serves("ann", 1, 0), ann})},
		{"where nobody is known", then(times(100, 0, serves("", 9_999, 9_999)))},
		{"then anew", then(
			step{0, serves("ann", 20_000, 0), ann}, times(50, 0, serves("ann", 20_000, 0)), step{time.Hour, serves("ann", 10_000, 0), ann},
		)},
	} {
		t.Run(tt.name, func(t *testing.T) { run(t, detect.NewDataVolume(detect.DataVolumeSettings{}), tt.steps) })
	}
}

// The finding says which of the two it was.
func TestDataVolumeEvidence(t *testing.T) {
	for _, tt := range []struct {
		name               string
		records, sensitive int64
		count, threshold   int64
		evidence           [][2]string
	}{
		{"records", 120, 3, 120, 100, [][2]string{{"reached", "records"}, {"records", "120"}, {"sensitive", "3"}, {"route", "api"}}},
		{"sensitive", 12, 30, 30, 20, [][2]string{{"reached", "sensitive"}, {"records", "12"}, {"sensitive", "30"}, {"route", "api"}}},
		{"both", 100, 20, 100, 100, [][2]string{{"reached", "records and sensitive"}, {"records", "100"}, {"sensitive", "20"}, {"route", "api"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := detect.NewDataVolume(detect.DataVolumeSettings{Records: 100, Sensitive: 20})
				found := d.See(serves("ann", tt.records, tt.sensitive)())
				if len(found) != 1 {
					t.Fatalf("%d findings", len(found))
				}
				f := found[0]
				if f.Count != tt.count || f.Threshold != tt.threshold || f.Window != time.Hour {
					t.Errorf("%+v", f)
				}
				if diff := cmp.Diff(tt.evidence, f.Evidence); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
