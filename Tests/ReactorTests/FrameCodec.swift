import Reactor

/// A codec simple enough to be checked by hand: frames of a length (two bytes, big-endian) and that many bytes, each
/// turned over by 0x5A. Longer lengths than a frame may have mean something else.
final class FrameCodec: StreamCodec, @unchecked Sendable {
    static let frameLimit = 4096
    static let end: [UInt8] = [0xFF, 0xFF]
    static let garbage: [UInt8] = [0xFF, 0xFE]
    /// Brings no bytes and wants an answer.
    static let question: [UInt8] = [0xFF, 0xFD]
    static let answer: [UInt8] = [0xFF, 0xFC]

    /// What has come in and is no whole frame yet.
    private var pending: [UInt8]
    private(set) var sealedEnds = 0

    init(pending: [UInt8] = []) {
        self.pending = pending
        super.init()
    }

    static func frames(_ bytes: [UInt8]) -> [UInt8] {
        var sealed: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.frameLimit)
            rest = rest.dropFirst(part.count)
            sealed += [UInt8(part.count >> 8), UInt8(part.count & 0xFF)] + part.map { $0 ^ 0x5A }
        }
        return sealed
    }

    /// The bytes of whole frames.
    static func plain(_ sealed: [UInt8]) -> [UInt8] {
        var plain: [UInt8] = []
        var offset = 0
        while offset + 2 <= sealed.count {
            let count = Int(sealed[offset]) << 8 | Int(sealed[offset + 1])
            guard count <= Self.frameLimit, offset + 2 + count <= sealed.count else { break }
            plain += sealed[(offset + 2)..<(offset + 2 + count)].map { $0 ^ 0x5A }
            offset += 2 + count
        }
        return plain
    }

    override func unseal(
        _ sealed: UnsafeRawBufferPointer,
        into plain: UnsafeMutableRawBufferPointer,
        replies: UnsafeMutableRawBufferPointer
    ) -> Unsealed {
        unsafe self.pending += Array(sealed)
        var out: [UInt8] = []
        var answers: [UInt8] = []
        var state = State.goesOn
        var offset = 0
        while state == .goesOn, self.pending.count >= offset + 2 {
            let count = Int(self.pending[offset]) << 8 | Int(self.pending[offset + 1])
            switch Array(self.pending[offset..<(offset + 2)]) {
            case Self.end: state = .closed
            case Self.garbage: state = .failed
            case Self.question:
                answers += Self.answer
                offset += 2
                continue
            default: break
            }
            guard state == .goesOn, self.pending.count >= offset + 2 + count else { break }
            out += self.pending[(offset + 2)..<(offset + 2 + count)].map { $0 ^ 0x5A }
            offset += 2 + count
        }
        self.pending.removeFirst(offset)
        unsafe plain.copyBytes(from: out)
        unsafe replies.copyBytes(from: answers)
        return Unsealed(count: out.count, replyCount: answers.count, state: state)
    }

    override var isWithinRecord: Bool { !self.pending.isEmpty }

    override func seal(_ plain: UnsafeRawBufferPointer, into sealed: UnsafeMutableRawBufferPointer) -> Sealed {
        let taken = min(plain.count, 100_000)
        let frames = unsafe Self.frames(Array(plain[0..<taken]))
        unsafe sealed.copyBytes(from: frames)
        return Sealed(taken: taken, written: frames.count)
    }

    override func seal(endInto sealed: UnsafeMutableRawBufferPointer) -> Int {
        self.sealedEnds += 1
        unsafe sealed.copyBytes(from: Self.end)
        return Self.end.count
    }
}
