package demo

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// exported are the columns of the export and where in a record each is found.
func exported() [][]string {
	return [][]string{
		{"id"},
		{"tenant"},
		{"branch"},
		{"name"},
		{"email"},
		{"job_title"},
		{"hired"},
		{"personal", "ssn"},
		{"pay", "salary"},
		{"pay", "currency"},
		{"health", "insurance_id"},
	}
}

// export gives all employees as CSV (RFC 4180), to open in a spreadsheet.
// Columns are named by the last name of their field.
func (b *Backend) export(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="employees.csv"`)
	columns := exported()
	line := make([]string, len(columns))
	for i, path := range columns {
		line[i] = path[len(path)-1]
	}
	table := csv.NewWriter(w)
	_ = table.Write(line) // a client that went away
	for _, r := range b.tables["employees"] {
		for i, path := range columns {
			line[i] = text(r, path)
		}
		_ = table.Write(line)
	}
	table.Flush()
}

// text is what stands in a cell. What is not there is empty.
func text(v any, path []string) string {
	for _, name := range path {
		object, _ := v.(record)
		v = object[name]
	}
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// readTable reads CSV in the shape in which lists come as JSON, so that both
// are judged alike.
func readTable(r io.Reader) (record, error) {
	lines, err := csv.NewReader(r).ReadAll()
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer is not CSV: %w", err)
	case len(lines) == 0:
		return nil, fmt.Errorf("the table has no header")
	}
	items := []any{}
	for _, line := range lines[1:] {
		row := record{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		items = append(items, row)
	}
	return record{"items": items}, nil
}
