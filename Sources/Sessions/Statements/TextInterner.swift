import Synchronization

/// The SQL texts of all prepared statements of the process, each stored once. Any thread.
///
/// A text stays as long as somebody holds an `InternedText` of it. Uses are counted under the lock by looking up and
/// letting go, never by the objects' own reference counts: a text that is let go while another thread looks it up has
/// simply one more use by then, or is gone and stored anew.
package final class TextInterner: Sendable {
    /// Finds a text by a hash made beforehand, and then by its bytes.
    fileprivate struct Key: Hashable, Sendable {
        let bytes: [UInt8]
        let hash: UInt64

        func hash(into hasher: inout Hasher) { hasher.combine(self.hash) }
    }

    private struct State {
        var uses: [Key: Int] = [:]
        var bytes = 0
    }

    /// What a text costs beside its bytes, as far as the limit is concerned: many short ones have a bound as well.
    package static let overheadPerText = 128

    /// Of all texts together, each with `overheadPerText`.
    package let byteLimit: Int
    private let hash: TextHash
    private let state = Mutex(State())

    package init(byteLimit: Int, hash: TextHash = .keyed) {
        self.byteLimit = byteLimit
        self.hash = hash
    }

    /// Texts stored, and the bytes of these and of long lists of parameter types.
    package var usage: (entries: Int, bytes: Int) {
        self.state.withLock { ($0.uses.count, $0.bytes) }
    }

    /// Less than half of the limit is used.
    var isHalfEmpty: Bool {
        self.state.withLock { $0.bytes + $0.uses.count * Self.overheadPerText < self.byteLimit / 2 }
    }

    /// Bytes that have to go before a new text of `size` bytes fits; 0 when it does, nil when it never will.
    package func lack(for size: Int) -> Int? {
        if size > self.byteLimit - Self.overheadPerText { return nil }
        let cost = self.state.withLock { $0.bytes + ($0.uses.count + 1) * Self.overheadPerText }
        return max(cost - (self.byteLimit - size), 0)
    }

    /// Nil when the text is not there yet and there is no room for it.
    package func intern(_ bytes: [UInt8]) -> InternedText? {
        let wanted = Key(bytes: bytes, hash: self.hash.code(bytes.span))
        let key: Key? = self.state.withLock { state in
            if let index = state.uses.index(forKey: wanted) {
                state.uses.values[index] += 1
                return state.uses.keys[index]
            }
            let cost = state.bytes + (state.uses.count + 1) * Self.overheadPerText
            guard cost <= self.byteLimit, bytes.count <= self.byteLimit - cost else { return nil }
            state.bytes += bytes.count
            state.uses[wanted] = 1
            return wanted
        }
        guard let key else { return nil }
        return InternedText(key: key, interner: self)
    }

    /// Room for `count` bytes beside the texts; nil when there is none.
    func reserve(_ count: Int) -> InternerRoom? {
        let isThere = self.state.withLock { state in
            let cost = state.bytes + state.uses.count * Self.overheadPerText
            guard count <= self.byteLimit - min(cost, self.byteLimit) else { return false }
            state.bytes += count
            return true
        }
        return isThere ? InternerRoom(bytes: count, interner: self) : nil
    }

    fileprivate func giveBack(_ count: Int) { self.state.withLock { $0.bytes -= count } }

    fileprivate func letGo(_ key: Key) {
        // The key that was stored goes behind the lock: the last one to hold its bytes is the caller.
        self.state.withLock { state in
            guard let index = state.uses.index(forKey: key) else { return }
            state.uses.values[index] -= 1
            if state.uses.values[index] > 0 { return }
            state.uses.remove(at: index)
            state.bytes -= key.bytes.count
        }
    }

    /// A stored text, for the console.
    package struct Row: Sendable, Equatable {
        package let hash: UInt64
        package let bytes: Int
        /// The first 120 characters.
        package let preview: String
    }

    /// Longest first, at most `limit`.
    package func rows(limit: Int) -> [Row] {
        let keys = self.state.withLock { Array($0.uses.keys) }
        let sorted = keys.sorted { ($0.bytes.count, $0.hash) > ($1.bytes.count, $1.hash) }
        return sorted.prefix(max(limit, 0)).map { key in
            Row(hash: key.hash, bytes: key.bytes.count, preview: Self.preview(key.bytes))
        }
    }

    private static func preview(_ bytes: [UInt8]) -> String {
        let characters = 120
        let text = String(decoding: bytes.prefix(characters * 4), as: UTF8.self)
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(characters)))
    }
}

/// Bytes that something beside the texts takes of a `TextInterner`, which ends with this object.
final class InternerRoom: Sendable {
    private let bytes: Int
    private let interner: TextInterner

    fileprivate init(bytes: Int, interner: TextInterner) {
        self.bytes = bytes
        self.interner = interner
    }

    deinit { self.interner.giveBack(self.bytes) }
}

/// One use of a text in a `TextInterner`, which ends with this object.
package final class InternedText: Sendable {
    private let key: TextInterner.Key
    private let interner: TextInterner

    fileprivate init(key: TextInterner.Key, interner: TextInterner) {
        self.key = key
        self.interner = interner
    }

    deinit {
        self.interner.letGo(self.key)
    }

    /// Without a zero byte.
    package var bytes: [UInt8] { self.key.bytes }
}
