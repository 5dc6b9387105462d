"""disk: what a disk may hold after the power fails, from a record of what was asked of it.

A record (tests/preload/record.h) is replayed call by call into two views of one tree: as the kernel
shows it, and as it is on the disk for certain. A write is certain once its file was synced, a name
once its folder was (a rename: the folder it leads into). Everything else is pending and may be on the
disk or not: all of it, none, the first part (a journal keeps the order of names), any choice; and a
write of several sectors may be torn.
"""

SECTOR = 512


class File:
    def __init__(self):
        self.now = bytearray()
        self.certain = b""
        self.pending = []  # (offset, bytes) or (size, None), since the last sync

    def change(self, offset, data):
        apply(self.now, offset, data)
        self.pending.append((offset, data))

    def sync(self):
        self.certain = bytes(self.now)
        self.pending = []


def apply(content, offset, data):
    if data is None:  # a new size
        content[offset:] = bytes(max(0, offset - len(content)))
    else:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data


class Folder:
    def __init__(self):
        self.now, self.certain = {}, {}


class Op:
    """A change of names. keys: the (folder, name) it writes; it is certain when `lead` is synced."""

    def __init__(self, lead, keys, act):
        self.lead, self.keys, self.act = lead, keys, act


def put(folder, name, node):
    def act(view):
        view(folder)[name] = node

    return Op(folder, [(folder, name)], act)


def drop(folder, name):
    def act(view):
        view(folder).pop(name, None)

    return Op(folder, [(folder, name)], act)


def rename(from_folder, from_name, to_folder, to_name, exchange, node, other):
    """One step on the disk, too, as file systems with a journal have it."""

    def act(view):
        view(to_folder)[to_name] = node
        if exchange:
            view(from_folder)[from_name] = other
        elif view(from_folder).get(from_name) is node:
            del view(from_folder)[from_name]

    return Op(to_folder, [(from_folder, from_name), (to_folder, to_name)], act)


class Disk:
    def __init__(self):
        self.root = Folder()
        self.nodes = {}  # by inode number, as of now
        self.pending = []  # ops on names, oldest first

    # --- replaying ---

    def calls(self, path):
        """Replays the record; yields (number, what) after each call."""
        with open(path, "rb") as f:
            number = 0
            while True:
                line = f.readline()
                if not line:
                    return
                fields = line.decode().rstrip("\n").split("\t")
                data = f.read(int(fields[3])) if fields[0] == "W" else None
                getattr(self, "on_" + fields[0].lower())(*fields[1:3] if data else fields[1:],
                                                         **({"data": data} if data else {}))
                number += 1
                yield number, " ".join(fields)

    def do(self, op):
        op.act(lambda folder: folder.now)
        self.pending.append(op)

    def on_o(self, inode):
        self.nodes[inode] = self.root

    def on_f(self, folder, name, inode):
        self.nodes[inode] = File()
        self.do(put(self.nodes[folder], name, self.nodes[inode]))

    def on_d(self, folder, name, inode):
        self.nodes[inode] = Folder()
        self.do(put(self.nodes[folder], name, self.nodes[inode]))

    def on_w(self, inode, offset, data):
        self.nodes[inode].change(int(offset), data)

    def on_t(self, inode, size):
        self.nodes[inode].change(int(size), None)

    def on_u(self, folder, name):
        self.do(drop(self.nodes[folder], name))

    def on_r(self, from_folder, from_name, to_folder, to_name, flags):
        a, b = self.nodes[from_folder], self.nodes[to_folder]
        if from_name.endswith(".sock"):
            return  # made by bind(2), which is not recorded; worth nothing after a power failure
        self.do(rename(a, from_name, b, to_name, int(flags) & 2 != 0, a.now[from_name],
                       b.now.get(to_name)))

    def on_s(self, inode):
        node = self.nodes[inode]
        if isinstance(node, File):
            node.sync()
            return
        waiting = []
        for at, op in enumerate(self.pending):
            if op.lead is node:
                op.act(lambda folder: folder.certain)
                # What came before it under these names is history.
                waiting = [w for w in waiting if not set(w.keys) & set(op.keys)]
            else:
                waiting.append(op)
        self.pending = waiting

    # --- what may be there after a power failure: {path: bytes}, folders with a / at the end ---

    def as_shown(self):
        return self.tree(lambda folder: folder.now, lambda file: bytes(file.now))

    def as_synced(self):
        return self.tree(lambda folder: folder.certain, lambda file: file.certain)

    def by_chance(self, rng):
        chosen = self.pending[: rng.randint(0, len(self.pending))]
        if rng.random() < 0.5:
            chosen = [op for op in self.pending if rng.random() < 0.5]
        views = {}

        def view(folder):
            return views.setdefault(folder, dict(folder.certain))

        for op in chosen:
            op.act(view)
        contents = {}
        return self.tree(view, lambda file: contents.setdefault(file, some_of(file, rng)))

    def tree(self, view, content):
        found, ways = {}, [("", self.root)]
        while ways:
            path, folder = ways.pop()
            for name, node in view(folder).items():
                if isinstance(node, File):
                    found[path + name] = content(node)
                else:
                    found[path + name + "/"] = None
                    ways.append((path + name + "/", node))
        return found


def some_of(file, rng):
    """All, none, the first or any of the pending writes, the last of them perhaps torn."""
    way = rng.randrange(4)
    if way == 0 or not file.pending:
        return bytes(file.now)
    if way == 1:
        return file.certain
    chosen = file.pending[: rng.randint(0, len(file.pending))]
    if way == 3:
        chosen = [w for w in file.pending if rng.random() < 0.5]
    content = bytearray(file.certain)
    for offset, data in chosen:
        if data is not None and len(data) > SECTOR and rng.random() < 0.3:
            first = rng.randrange(len(data) // SECTOR) * SECTOR
            last = rng.randint(first + 1, len(data)) // SECTOR * SECTOR
            offset, data = offset + first, data[first:last]
        apply(content, offset, data)
    return bytes(content)
