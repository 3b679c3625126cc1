package avatar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// folder keeps objects as files. Processes may share it. A file is written under another name and then moved to its
// own; os.Root lets no name lead out of the folder.
type folder struct{ root *os.Root }

// unfinished ends the name of a file while it is written. One that a crash left behind is collected.
const unfinished = ".tmp"

func openFolder(path string) (*folder, error) {
	if path == "" {
		return nil, errors.New("file: wants the path of a folder")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &folder{root}, nil
}

func (f *folder) put(ctx context.Context, name string, data []byte) error {
	err := f.write(name+unfinished, data)
	if err == nil {
		err = f.root.Rename(name+unfinished, name)
	}
	if err != nil {
		return errors.Join(err, f.remove(ctx, name+unfinished))
	}
	return nil
}

// write brings a new file to the disk, so that after a crash none stands there empty under its final name.
func (f *folder) write(name string, data []byte) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func (f *folder) get(_ context.Context, name string) ([]byte, error) {
	data, err := f.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return data, err
}

func (f *folder) remove(_ context.Context, name string) error {
	err := f.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (f *folder) walk(ctx context.Context, visit func([]string) error) error {
	dir, err := f.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		names, err := dir.Readdirnames(page)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(names); err != nil {
			return err
		}
	}
}
