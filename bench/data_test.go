package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// employee is the id of caller i, who is also a record of the backend.
func employee(i int) string { return fmt.Sprintf("m%d", i) }

// secrets stand in every record. None may be seen by a colleague.
func secrets() []string {
	return []string{"123-45-67", "9800000", "01234567", "HX-1001", "TR-0001"}
}

// record is a record of about a kilobyte, of which a colleague sees about two thirds.
func record(id string) map[string]any {
	return map[string]any{
		"id": id, "tenant": "acme", "branch": "lagos", "name": "Adaeze O'Brien", "email": "adaeze@acme.example",
		"phone": "+234 803 555 0101", "job_title": "Partner, R&D", "hired": "2016-03-01",
		"bio": "Adaeze works in Lagos, likes R&D and knows that 5 < 6. She joined from a bank, ran the move of the payroll to the new suite, " +
			"and teaches two courses a year. On Fridays she is at the branch in Abuja, where she started twelve years ago as a trainee and still knows everybody by name. Her team looks after everything from hiring to the last day.",
		"personal": map[string]any{
			"ssn": "123-45-6701", "date_of_birth": "1981-04-12", "address": map[string]any{"street": "1 Marina Road", "city": "Lagos"},
		},
		"pay":       map[string]any{"salary": 9800000, "currency": "NGN", "bank": map[string]any{"name": "First Bank", "account": "0123456701"}},
		"health":    map[string]any{"blood_group": "O+", "conditions": []string{"none"}, "insurance_id": "HX-1001"},
		"education": []any{map[string]any{"school": "University of Lagos", "degree": "BSc", "gpa": 3.2, "transcript": "TR-0001"}},
		"emergency_contacts": []any{map[string]any{
			"name": "A contact", "phone": "+234 803 555 0201", "relation": "brother",
		}},
	}
}

// change is what a caller sends to change the own record: about a kilobyte of
// text, none of it markup.
func change(i int) []byte {
	return marshal(map[string]any{"phone": "+234 803 555 0101", "bio": record(employee(i))["bio"], "nickname": "Ada & Co", "links": []string{
		"https://acme.example/people/adaeze", "https://acme.example/teams/payroll?view=all&sort=name", "mailto:adaeze@acme.example",
	}, "preferences": map[string]any{
		"language": "en-NG", "newsletter": true, "lunch": "jollof rice, no onions", "desk": "B-12, by the window", "pronouns": "she/her",
		"about_lunch": "Allergic to peanuts (severe), and < 3 coffees a day; fine with everything else that comes out of the kitchen here.",
	}, "out_of_office": "I am away until Monday. For payroll write to payroll@acme.example, for all that cannot wait call Bayo's desk; I read mail on the way back."})
}

// backend answers with bytes that were made before: it is not what is measured.
func backend() http.Handler {
	var all []any
	mux := http.NewServeMux()
	answer := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(b)
		}
	}
	for i := range 100 {
		r := record(employee(i))
		all = append(all, r)
		mux.HandleFunc("/api/employees/"+employee(i), answer(marshal(r)))
	}
	mux.HandleFunc("/api/employees/{$}", answer(marshal(map[string]any{"count": len(all), "items": all})))
	return mux
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
