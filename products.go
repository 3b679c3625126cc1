package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"wxpass/db"
)

const (
	maxSKU   = 64  // characters
	maxTitle = 100 // characters
)

// seed gives an empty shop a few things to order, in development.
func seed(ctx context.Context, store *db.Store) error {
	there, err := store.Products(ctx, uuid.Nil, 1)
	if err != nil || len(there) > 0 {
		return err
	}
	return store.SaveProducts(ctx, []*db.Product{
		{SKU: "tea-longjing-50g", Title: "西湖龙井 50 克", PriceFen: 12800},
		{SKU: "tea-puer-cake", Title: "普洱茶饼", PriceFen: 26800},
		{SKU: "cup-celadon", Title: "青瓷茶杯", PriceFen: 4900},
		{SKU: "bag-canvas", Title: "帆布袋", PriceFen: 1},
	})
}

type productsImport struct {
	databaseConfig
	File string `arg:"" help:"FILE.json, a list of {\"sku\", \"title\", \"priceFen\"}, or FILE.csv with these three columns named in its first line."`
}

// Run imports products: all of the file, or with any fault in it nothing. Faults are named by their line.
func (c *productsImport) Run(p *program) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	products, err := readProducts(filepath.Ext(c.File), bytes.TrimPrefix(text, []byte("\ufeff")))
	if err != nil {
		return fmt.Errorf("%s: nothing was imported:\n%w", c.File, err)
	}
	return c.withStore(p, func(store *db.Store) error {
		err := store.InTx(p.ctx, func(tx *db.Store) error {
			for batch := range slices.Chunk(products, 500) {
				if err := tx.SaveProducts(p.ctx, batch); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("nothing was imported: %w", err)
		}
		_, err = fmt.Fprintf(p.stdout, "imported %d products\n", len(products))
		return err
	})
}

// row is a product as a file has it.
type row struct {
	SKU      string `json:"sku"`
	Title    string `json:"title"`
	PriceFen *int64 `json:"priceFen"`

	at int // where it is in the file
}

// readProducts reads a file and names every fault in it.
func readProducts(extension string, text []byte) ([]*db.Product, error) {
	var (
		rows  []row
		where = "entry" // how the file's rows are counted
		err   error
	)
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8: save it as UTF-8 (in a spreadsheet: CSV UTF-8)")
	}
	switch strings.ToLower(extension) {
	case ".json":
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		err = d.Decode(&rows)
		if _, more := d.Token(); err == nil && more != io.EOF {
			err = errors.New("there is more behind the list")
		}
		for i := range rows {
			rows[i].at = i + 1
		}
	case ".csv":
		where = "line"
		rows, err = readCSV(text)
	default:
		err = errors.New("the name must end in .json or .csv")
	}
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("there are no products in it")
	}
	var faults []error
	products, seen := make([]*db.Product, len(rows)), map[string]bool{}
	for i, r := range rows {
		r.SKU, r.Title = norm.NFC.String(strings.TrimSpace(r.SKU)), norm.NFC.String(strings.TrimSpace(r.Title))
		if fault := r.check(seen); fault != "" {
			faults = append(faults, fmt.Errorf("%s %d: %s", where, r.at, fault))
			continue
		}
		seen[r.SKU] = true
		products[i] = &db.Product{SKU: r.SKU, Title: r.Title, PriceFen: *r.PriceFen}
	}
	return products, errors.Join(faults...)
}

func readCSV(text []byte) ([]row, error) {
	r := csv.NewReader(bytes.NewReader(text))
	head, err := r.Read()
	if err != nil || !slices.Equal(head, []string{"sku", "title", "priceFen"}) {
		return nil, errors.New("the first line must be sku,title,priceFen")
	}
	var rows []row
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		at, _ := r.FieldPos(0)
		line := row{SKU: fields[0], Title: fields[1], at: at}
		if fen, err := strconv.ParseInt(strings.TrimSpace(fields[2]), 10, 64); err == nil {
			line.PriceFen = &fen
		}
		rows = append(rows, line)
	}
}

// check says what is wrong with a row, empty for nothing.
func (r row) check(seen map[string]bool) string {
	fits := func(text string, max int) bool {
		return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= max && !strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) })
	}
	switch {
	case !fits(r.SKU, maxSKU):
		return fmt.Sprintf("the sku must have 1 to %d characters", maxSKU)
	case seen[r.SKU]:
		return fmt.Sprintf("the sku %q is there twice", r.SKU)
	case !fits(r.Title, maxTitle):
		return fmt.Sprintf("the title must have 1 to %d characters", maxTitle)
	case r.PriceFen == nil || *r.PriceFen < 0 || *r.PriceFen > math.MaxInt32:
		return fmt.Sprintf("priceFen must be a whole number of fen, 0 to %d", math.MaxInt32)
	}
	return ""
}
