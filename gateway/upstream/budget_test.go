package upstream

import (
	"testing"
	"testing/synctest"
	"time"
)

// granted takes what a budget gives at once.
func granted(b *budget) (n int) {
	for b.take() {
		n++
	}
	return n
}

func TestBudgetIsAPartOfTheRequestsLately(t *testing.T) {
	for name, tt := range map[string]struct {
		requests int
		part     float64
		want     int
	}{
		"none":        {0, 0.2, budgetFloor},
		"few":         {20, 0.2, budgetFloor},
		"many":        {1000, 0.2, 200},
		"all":         {1000, 1, 1000},
		"a hundredth": {1050, 0.01, 11}, // the eleventh begins at 10.5
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBudget(tt.part)
				for range tt.requests {
					b.count()
				}
				if got := granted(b); got != tt.want {
					t.Errorf("%d tries, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestBudgetForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0.5)
		for range 100 {
			b.count()
		}
		if got := granted(b); got != 50 {
			t.Fatalf("%d tries, want 50", got)
		}
		time.Sleep(5 * time.Second)
		for range 20 {
			b.count()
		}
		if got := granted(b); got != 10 {
			t.Errorf("%d tries after more requests, want half of them", got)
		}
		time.Sleep(budgetSlots*time.Second - 5*time.Second) // what came first is over
		if got := granted(b); got != 0 {
			t.Errorf("%d tries, want none: the last ten count still", got)
		}
		time.Sleep(time.Hour)
		if got := granted(b); got != budgetFloor {
			t.Errorf("%d tries after an hour, want %d", got, budgetFloor)
		}
	})
}
