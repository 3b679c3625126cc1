package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // a string never fails
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

func appendTextOrNull(b []byte, text *string) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	return appendText(b, *text)
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

func appendQuotedUUID(b []byte, id uuid) []byte { return append(appendUUID(append(b, '"'), id), '"') }

// appendUser writes the fields of the fragment Me, in its order.
func (f *floor) appendUser(b []byte, u *account) ([]byte, error) {
	b = appendQuotedUUID(append(b, `{"id":`...), u.id)
	b = appendText(append(b, `,"displayName":`...), displayName(u))
	b = appendTextOrNull(append(b, `,"nickname":`...), u.nickname)
	b = appendTextOrNull(append(b, `,"avatarUrl":`...), u.avatarURL)
	b = strconv.AppendInt(append(b, `,"points":`...), u.points, 10)
	b = append(b, `,"steps":[`...)
	if u.nickname != nil {
		b = append(b, `"USER"`...)
	}
	if u.phoneSealed != nil {
		if u.nickname != nil {
			b = append(b, ',')
		}
		b = append(b, `"PHONE"`...)
	}
	b = append(b, `],"maskedPhone":`...)
	if u.phoneSealed == nil {
		b = append(b, "null"...)
	} else {
		number, err := f.sealer.open(u.phoneSealed, "phone/"+formatUUID(u.id))
		if err != nil {
			return nil, err
		}
		b = appendText(b, mask(string(number)))
	}
	b = appendTime(append(b, `,"createdAt":`...), u.createdAt)
	return append(b, '}'), nil
}

func mask(number string) string {
	end := max(len(number)-4, 0)
	begin := max(end-4, 0)
	return number[:begin] + strings.Repeat("*", end-begin) + number[end:]
}

var animals = [...]string{"海豚", "小鹿", "松鼠", "熊猫", "白鹭", "刺猬", "海豹", "锦鲤", "雪狐", "考拉", "企鹅", "鲸鱼", "麻雀", "水獭", "羚羊", "蜂鸟"}

func displayName(u *account) string {
	if u.nickname != nil {
		return *u.nickname
	}
	h := fnv.New32a()
	h.Write(u.id[:])
	n := h.Sum32()
	return fmt.Sprintf("%s%04d", animals[n%uint32(len(animals))], n/uint32(len(animals))%10000)
}

// order is a row of orders with its items.
type order struct {
	id                   uuid
	number, status       string
	totalFen             int64
	remark               *string
	createdAt, updatedAt time.Time
	items                []item
}

type item struct {
	sku, title string
	quantity   int
	priceFen   int64
}

// appendOrder writes the fields of the fragment OrderFields, in its order.
func appendOrder(b []byte, o *order) []byte {
	b = appendQuotedUUID(append(b, `{"id":`...), o.id)
	b = appendText(append(b, `,"orderNo":`...), o.number)
	b = append(append(append(b, `,"status":"`...), strings.ToUpper(o.status)...), '"')
	b = strconv.AppendInt(append(b, `,"totalFen":`...), o.totalFen, 10)
	b = appendTextOrNull(append(b, `,"remark":`...), o.remark)
	b = appendTime(append(b, `,"createdAt":`...), o.createdAt)
	b = appendTime(append(b, `,"updatedAt":`...), o.updatedAt)
	b = append(b, `,"items":[`...)
	for i := range o.items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"sku":`...), o.items[i].sku)
		b = appendText(append(b, `,"title":`...), o.items[i].title)
		b = strconv.AppendInt(append(b, `,"quantity":`...), int64(o.items[i].quantity), 10)
		b = strconv.AppendInt(append(b, `,"unitPriceFen":`...), o.items[i].priceFen, 10)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

// appendCursor writes where an order is in a page: a version and its id.
func appendCursor(b []byte, id uuid) []byte {
	var place [17]byte
	place[0] = 1
	copy(place[1:], id[:])
	return append(base64.RawURLEncoding.AppendEncode(append(b, '"'), place[:]), '"')
}
