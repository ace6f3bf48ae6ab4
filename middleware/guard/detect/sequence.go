package detect

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
)

// place is a number in a path: "7" of /invoices/{INV-7}.
type place struct {
	frame  uint64 // hash of all parameters without the number; 0: there is none
	number uint64
}

// maxDigits are as many as surely fit into 64 bits.
const maxDigits = 18

// digits finds the last digits in a text, no more than 18.
func digits(s string) (from, to int) {
	to = len(s)
	for to > 0 && !isDigit(s[to-1]) {
		to--
	}
	from = to
	for from > 0 && isDigit(s[from-1]) && to-from < maxDigits {
		from--
	}
	return from, to
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// place reads a number and hashes what stands around it, in its own parameter and
// in the others.
func (d *Enumeration) place(params []string, i, from, to int) place {
	var h maphash.Hash
	h.SetSeed(d.seed)
	h.WriteByte(byte(i))
	for j, p := range params {
		if j != i {
			writePart(&h, p)
			continue
		}
		writePart(&h, p[:from])
		writePart(&h, p[to:])
	}
	n, _ := strconv.ParseUint(params[i][from:to], 10, 64) // it is digits, and few enough
	return place{max(h.Sum64(), 1), n}
}

// maxSteps is how far apart neighbours in a sequence may be: what lies between
// them was not refused, because it is there for all to see.
const maxSteps = 4

// longestRun is how many of the ids are in one sequence: numbers in like places,
// no matter in which order they came, each of which is one to four steps from the
// next. The step is one of the commonest distances between neighbours: 1 of 1, 2, 4,
// 5, and 10 of 70, 60, 50, 30. Numbers picked from a large range have no such step.
func longestRun(ids []sighting) (longest int) {
	all := make([]place, 0, 64)
	for i := range len(sighting{}.places) {
		all = all[:0]
		for _, id := range ids {
			if id.places[i].frame != 0 {
				all = append(all, id.places[i])
			}
		}
		slices.SortFunc(all, func(a, b place) int {
			return cmp.Or(cmp.Compare(a.frame, b.frame), cmp.Compare(a.number, b.number))
		})
		all = slices.Compact(all)
		for from := 0; from < len(all); {
			to := from + 1
			for to < len(all) && all[to].frame == all[from].frame {
				to++
			}
			longest = max(longest, runOf(all[from:to]))
			from = to
		}
	}
	return longest
}

// runOf is the longest sequence among ascending numbers in one place.
func runOf(numbers []place) (longest int) {
	if len(numbers) < 3 {
		return len(numbers)
	}
	for _, step := range commonest(numbers) {
		run := 1
		for i := 1; i < len(numbers) && step.length > 0; i++ {
			distance := numbers[i].number - numbers[i-1].number
			if distance%step.length == 0 && distance/step.length <= maxSteps {
				run++
			} else {
				run = 1
			}
			longest = max(longest, run)
		}
	}
	return longest
}

// step is a distance between neighbours, and how often it occurs.
type step struct {
	length uint64
	times  int
}

// commonest are the distances between neighbours that occur most often, smaller
// ones first of those that occur as often. There are eight, so that nobody hides a
// sequence behind a few pairs.
func commonest(numbers []place) (steps [8]step) {
	distances := make([]uint64, 0, 64)
	for i := 1; i < len(numbers); i++ {
		distances = append(distances, numbers[i].number-numbers[i-1].number)
	}
	slices.Sort(distances)
	for from := 0; from < len(distances); {
		to := from + 1
		for to < len(distances) && distances[to] == distances[from] {
			to++
		}
		s := step{distances[from], to - from}
		for i := range steps {
			if s.times > steps[i].times {
				s, steps[i] = steps[i], s
			}
		}
		from = to
	}
	return steps
}
