package oracle

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// defaults are the oracle parameters of a route that names none.
func defaults() []string {
	return []string{
		"ordering", "order", "order_by", "sort", "sort_by", "fields", "select",
		"include", "exclude", "expand", "filter", "group_by", "distinct",
	}
}

func masks(paths ...string) Fields {
	var spec redact.Spec
	for _, p := range paths {
		spec.Rules = append(spec.Rules, redact.Rule{Path: p, Action: redact.Redact})
	}
	return FieldsOf(spec)
}

// TestRefused has a query for each rule; all of them are about salary or
// bank_account.
func TestRefused(t *testing.T) {
	queries := []string{
		// Names.
		"salary", "salary=", "salary=1", "page=1&salary=1", "&&salary=1", "SALARY=1", "Sal-ary=1", "sal_ary=1", "-salary=1", "_salary=1",
		"salary__gt=5", "salary__year__gt=5", "employee__salary=5", "employee__salary__lte=5", "sal__ary=1", "salary--gt=1",
		"pay.salary=1", "pay[salary]=1", "pay%5Bsalary%5D=1", "pay:salary=1", "pay/salary=1", "$salary=1", "salary!=1", "salary>=5", "salary<5", "salary~=x", "salary[]=1", "salary[0]=1",
		"filter[salary]=1", "filter{salary}=1", "filter{salary.gt}=1", "filter[pay.salary][gt]=1", "salary[gte]=1", "q[salary_gt]=1", "where[pay][salary]=1", "filter%255Bsalary%255D=1",
		"min_salary=1", "max_salary=1", "salary_min=1", "salary_max=1", "salary_gte=1", "salary_lt=1", "salary-lt=1", "not_in_salary=1", "salary_not_in=1", "min_salary_from=1",
		"salaryGt=1", "minSalary=1", "salaryGreaterThanOrEqual=1", "salaryIn=1", "SalaryBetween=1", "salarygt=1", "maxsalary=1", "salaryIsNull=1",
		"bank_account=1", "bankAccount=1", "bank-account=1", "bank.account=1", "bank account=1", "bank+account=1", "bank%20account=1", "bank[account]=1", "bank_account__startswith=1", "bankAccountStartsWith=1",
		"%73alary=1", "%73%61%6c%61%72%79=1", "sal%2561ry=1", "%C5%BFalary=1", "ſalary=1", "ban%E2%84%AA_account=1", `sal\u0061ry=1`, "+salary=1", "%22salary%22=1",
		// Values.
		"sort=salary", "sort=-salary", "sort=%2Bsalary", "sort=+salary", "sort=name,-salary", "sort=name,salary", "sort=salary:desc", "sort=salary.desc", "sort=salary%20desc", "sort=salary|desc", "sort=salary_desc", "sort=salary-desc", "sort=salaryDesc", "sort=desc_salary", "sort=desc(salary)", "sort=SALARY", "sort[]=salary", "sort[0]=salary", "sort[0][field]=salary", "q[sort]=salary+desc",
		"$sort=salary", "SORT=salary", "Sort-By=salary", "sortBy=salary", "orderBy=salary", "order_by=salary", "$orderby=salary%20desc", "order.by=salary", "order%20by=salary", "ordering=employee__salary", "order=salary.desc", "order=pay(salary).desc", "group_by=salary", "distinct=salary", "so%72t=s%61lary", "sort=sal%2561ry", "s%256frt=salary", "sort__0=salary",
		"select=x:salary", "select=name,pay(salary)", "select=salary.sum()", "select=salary::text", "$select=name,salary", "$expand=pay($select=salary)", "include=pay.salary", "exclude=name,salary", "expand=salary",
		"$filter=salary%20gt%205", "$filter=salary+gt+5", "$filter=(salary)gt(5)", "$filter=contains(salary,'1')", "filter=salary=gt=5", "filter=name==Ada,salary=gt=5", "filter=salary>5", "filter=pay/salary+gt+5", "filter=salary__gt:5", "filter=salary_gt:5", "filter[0]=salary", "filter.pay=salary",
		`filter={"salary":{"gt":1}}`, "filter=%7B%22salary%22%3A%7B%22gt%22%3A1%7D%7D", `filter={'salary':1}`, `filter={"s\u0061lary":1}`, `filter={"pay.salary":{"$gt":1}}`, `filter={"s%5Cu0061lary":1}`, `filter=%257B%2522salary%2522%253A1%257D`, `filter=%255Cu0073alary`, `filter=s\alary`,
		"fields[employees]=name,salary", "fields[employees]=salary", "fields%5Bemployees%5D=name%2Csalary", "fields=name%0Asalary", "fields=name%00salary", "fields=name;salary", "fields=*,-salary", "fields=name%3Bsalary", "fields=ſalary",
		"sort=bank_account", "sort=bankAccount", "sort=%E2%80%9Cbank-account%E2%80%9D",
	}
	g := New(defaults())
	hidden := masks("$.data[*].salary", "$..bank_account")
	for _, q := range queries {
		if _, ok := g.Check(q, hidden); ok {
			t.Errorf("?%s passes", q)
		}
	}
}

func TestPasses(t *testing.T) {
	queries := []string{
		"", "&", "page=2&branch=lagos&name=Ada", "q=salary", "q=salary__gt", "search=salary", "status=exact", "status=salary", "exact=1", "min=1&max=5", "in=1", "year=2024",
		"sort=name", "sort=-name,hired", "ordering=employee__name", "order=name.desc.nullslast", "$orderby=name%20desc", "$filter=name%20eq%20'Ada'", `filter={"name":{"eq":"Ada"}}`, "fields[employees]=name,hired",
		"filter[name]=Ada", "name__icontains=salar", "salaryman=1", "salary_band=1", "salaries=1", "account=1", "bank=1", "bank_accounts=1", "sort=bank,account", "sort=salary_band", "fields=*",
		"filter=name%20like%20'A%25'", "next=/people?sort=salary", "cursor=c2FsYXJ5", "a%3Bb=1", "name=M%FCller", "name=%3Bx", "_=123", "*", "=salary",
		"page%5Bnumber%5D=1", "created_after=2024-01-01", "login=1", "x=%25zz",
		strings.Repeat("a=1&", 999) + "a=1",
	}
	g := New(defaults())
	hidden := masks("$.data[*].salary", "$..bank_account")
	for _, q := range queries {
		if name, ok := g.Check(q, hidden); !ok {
			t.Errorf("?%s is refused for %q", q, name)
		}
		if name, ok := g.Check(q+"&salary=1", Fields{}); !ok {
			t.Errorf("?%s is refused for %q, and nothing is hidden", q, name)
		}
	}
}

func TestUndecidable(t *testing.T) {
	g := New(defaults())
	hidden := masks("$.salary")
	for _, q := range []string{
		"a=1;b=2", ";", "a;salary=1", "%", "%zz=1", "a=%", "a=%2", "sal%ary=1",
		"a%FFb=1", "a\xffb=1", "sort=na%FFme", "sort=na%25ffme", "so%25fft=1",
		strings.Repeat("a=1&", 1000) + "a=1", strings.Repeat("&", 1000),
	} {
		if _, ok := g.Check(q, hidden); ok {
			t.Errorf("%.40q passes", q)
		}
	}
}

func TestParameter(t *testing.T) {
	g := New([]string{"$Order_By", "q"})
	hidden := masks("$.salary")
	tests := []struct{ query, want string }{
		{"a=1&sal%61ry__gt=5&salary=1", "salary__gt"},
		{"q=salary", "q"},
		{"$orderby=salary", "$orderby"},
		{"salary=1;", ""},
		{"%zz", ""},
		{"salary." + strings.Repeat("é", 100), "salary." + strings.Repeat("é", 28) + "\ufffd"},
	}
	for _, tt := range tests {
		if name, ok := g.Check(tt.query, hidden); ok || name != tt.want {
			t.Errorf("?%s: %q, %t, want %q", tt.query, name, ok, tt.want)
		}
	}
	if name, ok := g.Check("sort=salary", hidden); !ok {
		t.Errorf("sort is not configured, and refused for %q", name)
	}
	if name, ok := New([]string{"$"}).Check("$=salary&x=salary", hidden); !ok {
		t.Errorf("a parameter without a name is configured, and %q refused", name)
	}
}

func TestAllocations(t *testing.T) {
	g := New(defaults())
	hidden := masks("$.data[*].salary", "$..bank_account")
	if n := testing.AllocsPerRun(100, func() { g.Check("", hidden) }); n != 0 {
		t.Errorf("no query: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { g.Check("page=2&sort=name", Fields{}) }); n != 0 {
		t.Errorf("nothing hidden: %v allocations", n)
	}
}

func BenchmarkCheck(b *testing.B) {
	g := New(defaults())
	hidden := masks("$.data[*].salary", "$..bank_account", "$..ssn")
	for _, q := range []struct{ name, query string }{
		{"none", ""},
		{"usual", "page=2&branch=lagos&sort=-name,hired"},
		{"32 KiB of operators", "sort=" + strings.Repeat("gtssnxmin,", 32<<10/10)},
		{"32 KiB word", "sort=" + strings.Repeat("in", 16<<10)},
		{"32 KiB of parts", strings.Repeat("a__", 32<<10/3)},
	} {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if name, ok := g.Check(q.query, hidden); !ok {
					b.Fatal(name)
				}
			}
		})
	}
}

// FuzzSalary spells the name of a masked field in every way that the rules
// speak of, and it is refused.
func FuzzSalary(f *testing.F) {
	f.Add("salary", uint64(0), uint64(0), uint8(0), uint8(0))
	f.Add("x", uint64(0x5555), uint64(1), uint8(7), uint8(5))
	f.Add("pay", ^uint64(0), ^uint64(0), uint8(200), uint8(77))
	g := New(defaults())
	hidden := masks("$.pay.salary")
	operator := append(strings.Fields(operators), "")
	wraps := []string{
		"%s", "%s%s", "%s_%s", "%s__%s", "%s-%s", "%[2]s_%[1]s", "%[2]s%[1]s", "pay.%s", "pay[%s]", "%s[%s]", "filter[%s][%s]", "filter{%s}", "-%s", "a__%s__%s", "$%s", "%s:%s", "pay/%s",
	}
	f.Fuzz(func(t *testing.T, other string, how, encode uint64, op, wrap uint8) {
		var name strings.Builder
		for i, r := range "salary" {
			switch how >> (4 * i) & 7 {
			case 1:
				r -= 'a' - 'A'
			case 2:
				name.WriteByte('_')
			case 3:
				name.WriteByte('-')
			case 4:
				if r == 's' {
					r = '\u017f'
				}
			}
			name.WriteRune(r)
		}
		text := fmt.Sprintf(wraps[int(wrap)%len(wraps)]+"%.0[1]s%.0[2]s", name.String(), operator[int(op)%len(operator)])
		var query strings.Builder
		for i := range len(text) {
			if c := text[i]; encode>>(i%64)&1 == 1 {
				fmt.Fprintf(&query, "%%%02x", c)
			} else {
				query.WriteByte(c)
			}
		}
		for _, q := range []string{query.String() + "=1", "page=1&" + query.String(), url.QueryEscape(other) + "=1&" + query.String() + "=" + url.QueryEscape(other), "sort=" + query.String(), "fields[x]=name," + query.String()} {
			if _, ok := g.Check(q, hidden); ok {
				t.Fatalf("?%s (%q) passes", q, text)
			}
		}
	})
}

// FuzzCheck looks for a panic, and for a verdict that hangs on what is hidden
// besides: hiding more never lets more pass.
func FuzzCheck(f *testing.F) {
	f.Add("page=2&sort=name", "hired")
	f.Add(`filter={"n\u0061me":1}&a[b]=%25%32`, "a b")
	g := New(defaults())
	f.Fuzz(func(t *testing.T, query, name string) {
		few := FieldsOf(redact.Spec{Rules: []redact.Rule{{Path: "$.salary", Action: redact.Null}}})
		more := FieldsOf(redact.Spec{Rules: []redact.Rule{{Path: "$.salary", Action: redact.Null}, {Path: "$." + name, Action: redact.Null}}})
		least := FieldsOf(redact.Spec{Rules: []redact.Rule{{Path: "$.salary", Action: redact.Null}}, Expose: []string{"$." + name}})
		for _, hidden := range []Fields{more, least} {
			if _, ok := g.Check(query, few); !ok {
				if _, ok := g.Check(query, hidden); ok {
					t.Fatalf("%q passes with more than salary hidden (%q)", query, name)
				}
			}
		}
	})
}
