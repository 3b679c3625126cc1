package avatar

import (
	"bytes"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

// TestMemoryStaysUnder64MiB is not parallel, so that it measures itself alone.
func TestMemoryStaysUnder64MiB(t *testing.T) {
	r := newRoute(t, folderWorld(t))
	abuse := map[string][]byte{
		"bomb":                bomb(t),
		"unpacks without end": rawPNG{w: 4096, h: 4096, depth: 1, pixels: zeros(1 << 26)}.encode(t),
		"largest PNG":         rawPNG{w: 4096, h: 4096, depth: 8, kind: pngRGBA, pixels: zeros(4096 * (1 + 4*4096))}.encode(t),
		"largest 16 bit PNG":  rawPNG{w: 4096, h: 4096, depth: 16, kind: pngRGBA, pixels: zeros(4096 * (1 + 8*4096))}.encode(t),
		"largest JPEG":        flatJPEG{w: 4096, h: 4096, values: []int{200, 1, 1}, factors: 0x22}.encode(),
		"JPEG, all colours":   flatJPEG{w: 3328, h: 3328, values: []int{200, 1, 1}}.encode(),
		"progressive":         flatJPEG{w: 2096, h: 2096, values: []int{200, 1, 1}, factors: 0x22, frame: jpegSOF2, scans: 10}.encode(),
		"CMYK":                flatJPEG{w: 2040, h: 2040, values: []int{1, 1, 1, 1}, adobe: 1}.encode(),
		"largest GIF":         asGIF(t, 4096, 4096, red),
		"phone JPEG":          flatJPEG{w: 1080, h: 1080, values: []int{200, 1, 1}, factors: 0x22}.encode(),
		"2 MiB":               append(asJPEG(t, quadrants(64, 64)), make([]byte, MaxFile-10<<10)...),
		"3 MiB":               make([]byte, 3<<20),
		"lossless WebP":       decode64(t, webpLossless),
	}
	type body struct {
		name, contentType string
		data              []byte
	}
	var bodies []body
	for name, picture := range abuse {
		data, contentType := form(t, file(picture))
		bodies = append(bodies, body{name, contentType, data})
	}
	runtime.GC()
	rest, peak := heap(), uint64(0)
	done, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				peak = max(peak, heap())
			}
		}
	}()
	var wg sync.WaitGroup
	for _, b := range bodies {
		wg.Go(func() {
			status, text := r.post(t, "good", b.contentType, bytes.NewReader(b.data))
			if status != 200 && status != 400 && status != 413 && status != 415 && status != 503 {
				t.Errorf("%s: %d %s", b.name, status, text)
			}
		})
	}
	wg.Wait()
	close(done)
	<-sampled
	t.Logf("peak: %d MiB above rest, %d MiB", (peak-rest)>>20, rest>>20)
	if peak-rest > 64<<20 {
		t.Errorf("peak: %d MiB above rest", (peak-rest)>>20)
	}
}

// heap is what the program has of memory for objects, garbage included.
func heap() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64()
}
