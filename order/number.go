package order

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"regexp"
	"sync"
	"time"

	"wxpass/db"
)

// An order number is YYYYMMDD_n: the day in Shanghai, and n at random in a space that starts small and grows as it fills.
// So there is no counter to lock or to recover, and a number does not tell a competitor the day's sales. It fits WeChat
// Pay's out_trade_no.
const (
	firstDigits = 3
	maxMisses   = 3  // in a row, before n gets a digit more
	maxTries    = 40 // far past the longest run ever seen
)

var orderNo = regexp.MustCompile(`^[0-9]{8}_[1-9][0-9]{0,17}$`)

// numbers remembers how many digits n has today. Forgetting it at a restart costs a few tries.
type numbers struct {
	mu     sync.Mutex
	day    string
	digits int
}

// begin returns the digits to begin with on a day.
func (n *numbers) begin(day string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.day != day {
		n.day, n.digits = day, firstDigits
	}
	return n.digits
}

func (n *numbers) grow(day string, digits int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.day == day {
		n.digits = max(n.digits, digits)
	}
}

// number claims a number for order.
func (s *Service) number(ctx context.Context, order *db.Order) (string, error) {
	day := s.Now().In(time.FixedZone("CST", 8*60*60)).Format("20060102") // China has no summer time
	digits := s.numbers.begin(day)
	for try := 1; try <= maxTries; try++ {
		n, err := randomOf(digits)
		if err != nil {
			return "", err
		}
		number := day + "_" + n
		claimed, err := s.Store.ClaimOrderNumber(ctx, number, order.UserID, order.ID)
		if claimed || err != nil {
			s.Log.DebugContext(ctx, "order numbered", "tries", try, "digits", digits)
			return number, err
		}
		if try%maxMisses == 0 {
			digits++
			s.numbers.grow(day, digits)
		}
	}
	return "", fmt.Errorf("no number was free in %d tries", maxTries)
}

// randomOf returns a random number of so many digits, the first not 0.
func randomOf(digits int) (string, error) {
	least := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits-1)), nil)
	n, err := rand.Int(rand.Reader, new(big.Int).Mul(least, big.NewInt(9)))
	if err != nil {
		return "", err
	}
	return n.Add(n, least).String(), nil
}
