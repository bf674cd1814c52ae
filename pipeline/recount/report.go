package recount

// A Report is a comparison of a few tables whose rows are all at hand. It adds
// up over days.
type Report struct {
	Lines []Line `json:"lines"`
}

// Add adds another day's report.
func (r *Report) Add(o Report) {
	for i := range o.Lines {
		r.add(&o.Lines[i])
	}
}

func (r *Report) add(l *Line) {
	for i := range r.Lines {
		if m := &r.Lines[i]; m.Table == l.Table && m.Measure == l.Measure {
			m.add(l)
			m.share()
			return
		}
	}
	r.Lines = append(r.Lines, *l)
}

// Compare adds a line for one measure of one table of one day, given what each
// row should and does come to, the rows that the source lacks among them with 0.
func (r *Report) Compare(table, measure string, source, sent []int) {
	l := Line{Table: table, Measure: measure}
	over, under := 0, 0
	for i := range source {
		l.Source += int64(source[i])
		l.Sent += int64(sent[i])
		switch d := sent[i] - source[i]; {
		case d > 0:
			over += d
			l.Rows++
		case d < 0:
			under -= d
			l.Rows++
		}
	}
	l.Off = int64(max(over, under))
	l.share()
	r.add(&l)
}
