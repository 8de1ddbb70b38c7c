/// A place in a policy text: physical line and Unicode scalar in the line, both from 1.
struct HBAPlace: Sendable {
    let line: Int
    let column: Int
}

/// The bytes of one logical line without line ends and joining backslashes, and which physical line each comes from.
struct LogicalLine: Sendable {
    /// The physical line it starts in, from 1.
    let number: Int
    private(set) var bytes: [UInt8] = []
    /// Where each physical line begins in `bytes`, ascending.
    private var starts: [(offset: Int, line: Int)] = []

    init(number: Int) {
        self.number = number
    }

    /// Adds a physical line without its line end. Returns whether a backslash joins the next one to it.
    mutating func append(_ physical: ArraySlice<UInt8>, number: Int) -> Bool {
        self.starts.append((self.bytes.count, number))
        var text = physical
        while text.last == UInt8(ascii: "\r") {
            text.removeLast()
        }
        let isContinued = text.last == UInt8(ascii: "\\")
        self.bytes.append(contentsOf: isContinued ? text.dropLast() : text)
        return isContinued
    }

    /// Line and column of a byte; the end of the line counts as a byte. Walks the line: for errors only.
    func place(of offset: Int) -> HBAPlace {
        let start = self.starts.last { $0.offset <= offset } ?? (0, self.number)
        let before = self.bytes[start.offset..<min(max(offset, start.offset), self.bytes.count)]
        let scalars = before.count { $0 & 0xc0 != 0x80 }
        return HBAPlace(line: start.line, column: scalars + 1)
    }
}
