package main

import (
	"fmt"
	"io"
	"time"
)

// table is what was measured on a database of so many users.
type table struct {
	users int
	rows  []row
}

// row is a case at one number of connections: measurements of both servers, round by round.
type row struct {
	name          string
	connections   int
	wxpass, floor []measurement
}

// ratio is the median of wxpass's share of the floor, round by round: what slows a round down slows both.
func (r *row) ratio(of func(measurement) float64) float64 {
	ratios := make([]float64, len(r.wxpass))
	for i := range ratios {
		ratios[i] = of(r.wxpass[i]) / of(r.floor[i])
	}
	return median(ratios)
}

func medianOf(measured []measurement, of func(measurement) float64) float64 {
	values := make([]float64, len(measured))
	for i, m := range measured {
		values[i] = of(m)
	}
	return median(values)
}

func throughput(m measurement) float64  { return m.throughput }
func p50(m measurement) float64         { return milliseconds(m.p50) }
func p99(m measurement) float64         { return milliseconds(m.p99) }
func cpu(m measurement) float64         { return 1000 * milliseconds(m.cpu) }
func postgresCPU(m measurement) float64 { return 1000 * milliseconds(m.database) }
func allCPU(m measurement) float64      { return cpu(m) + postgresCPU(m) }
func allocs(m measurement) float64      { return m.allocs }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// print writes the table in Markdown. Each pair is wxpass / floor.
func (t table) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d users, %d orders. Ratios are wxpass to floor, medians of rounds; pairs are wxpass / floor, for this run alone.\n\n", t.users, t.users/buyerEvery*ordersPerBuyer)
	fmt.Fprintln(w, "| case | connections | throughput | p50 | p99 | CPU, all | p99, ms | requests/s | server CPU, µs | PostgreSQL CPU, µs | allocations |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for i := range t.rows {
		r := &t.rows[i]
		pair := func(format string, of func(measurement) float64) string {
			return fmt.Sprintf(format+" / "+format, medianOf(r.wxpass, of), medianOf(r.floor, of))
		}
		alloc := fmt.Sprintf("- / %.0f", medianOf(r.floor, allocs))
		if medianOf(r.wxpass, allocs) >= 0 {
			alloc = pair("%.0f", allocs)
		}
		fmt.Fprintf(w, "| %s | %d | **%.2f** | %.2f | %.2f | %.2f | %s | %s | %s | %s | %s |\n", r.name, r.connections, r.ratio(throughput), r.ratio(p50), r.ratio(p99), r.ratio(allCPU),
			pair("%.2f", p99), pair("%.0f", throughput), pair("%.0f", cpu), pair("%.0f", postgresCPU), alloc)
	}
}

// compare puts the last table beside the first: what grows with the number of users shows as a share away from 1 that
// the floor does not have.
func compare(w io.Writer, tables []table) {
	first, last := tables[0], tables[len(tables)-1]
	fmt.Fprintf(w, "\n%d users to %d: how the same case fares. Ratios of ratios stand for wxpass against the floor.\n\n", last.users, first.users)
	fmt.Fprintln(w, "| case | connections | throughput, wxpass | throughput, floor | CPU, wxpass | CPU, floor | throughput, ratio of ratios | p99, ratio of ratios |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|--:|")
	for i := range last.rows {
		a, b := &first.rows[i], &last.rows[i]
		of := func(is, was []measurement, what func(measurement) float64) float64 {
			return medianOf(is, what) / medianOf(was, what)
		}
		fmt.Fprintf(w, "| %s | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", b.name, b.connections,
			of(b.wxpass, a.wxpass, throughput), of(b.floor, a.floor, throughput), of(b.wxpass, a.wxpass, allCPU), of(b.floor, a.floor, allCPU),
			b.ratio(throughput)/a.ratio(throughput), b.ratio(p99)/a.ratio(p99))
	}
}
