import Glibc

/// An opened target of the audit log.
///
/// Opened on the thread that loads the settings, then used and closed by the writer's thread alone; `@unchecked
/// Sendable` for that one handover.
final class AuditOutput: @unchecked Sendable {
    let target: AuditTarget
    private var descriptor: Int32
    private let isRegularFile: Bool
    /// The last line is there in part only: the next one begins behind a line feed.
    private var endsMidLine = false

    private static let fileMode: mode_t = 0o600
    /// How often a target that takes nothing is asked whether it was replaced meanwhile.
    private static let patienceMilliseconds: Int32 = 100

    /// - Throws: `AuditTargetError` when the file or the system's logger cannot be opened.
    init(_ target: AuditTarget) throws(AuditTargetError) {
        self.target = target
        switch target {
        case .standardError:
            self.descriptor = STDERR_FILENO
            self.isRegularFile = false
        case .file(let path):
            self.descriptor = Self.openFile(path, makesIt: true)
            guard self.descriptor >= 0 else { throw AuditTargetError(target: target, reason: Self.systemText()) }
            var facts = stat()
            self.isRegularFile = unsafe fstat(self.descriptor, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG
        case .syslog(_, let path):
            self.descriptor = Self.connect(toSocketAt: path)
            self.isRegularFile = false
            guard self.descriptor >= 0 else { throw AuditTargetError(target: target, reason: Self.systemText()) }
        }
    }

    deinit { self.close() }

    /// The descriptor, or -1 and the reason in `errno`.
    ///
    /// - Parameter makesIt: whether a file that does not exist is made.
    static func openFile(_ path: String, makesIt: Bool) -> Int32 {
        // O_NONBLOCK: opening a FIFO that nobody reads fails instead of waiting.
        let flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        return unsafe open(path, makesIt ? flags | O_CREAT : flags, Self.fileMode)
    }

    func close() {
        if self.descriptor > STDERR_FILENO { _ = Glibc.close(self.descriptor) }
        self.descriptor = -1
    }

    /// Writes one record. False when it was not taken: the reason stands in `errno`.
    ///
    /// - Parameter isGivenUp: asked while the target takes nothing; true ends the attempt.
    func write(_ record: AuditRecord, isGivenUp: () -> Bool) -> Bool {
        let json = AuditLine.json(record)
        switch self.target {
        case .standardError, .file:
            return self.writeLine(json, isGivenUp: isGivenUp)
        case .syslog(let ident, let path):
            let seconds = record.time / 1_000_000
            let packet = SyslogPacket.make(json, ident: ident, isFailure: record.isFailure, seconds: seconds)
            return self.sendPacket(packet, path: path, isGivenUp: isGivenUp)
        }
    }

    // MARK: Files, FIFOs, standard error

    private func writeLine(_ json: [UInt8], isGivenUp: () -> Bool) -> Bool {
        let feed = UInt8(ascii: "\n")
        var line = self.endsMidLine ? [feed] + json : json
        line.append(feed)
        var written = 0
        while written < line.count {
            let result = unsafe line.withUnsafeBytes { bytes in
                unsafe Glibc.write(self.descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if result > 0 {
                written += result
            } else if result < 0, errno == EINTR {
                continue
            } else if result < 0, errno == EAGAIN, !self.isRegularFile, self.waitUntilWritable(isGivenUp) {
                continue
            } else {
                self.takeBack(written)
                return false
            }
        }
        self.endsMidLine = false
        return true
    }

    /// A full disk has taken a part of a line: cuts it off again where that is possible.
    private func takeBack(_ written: Int) {
        guard written > 0 else { return }
        let reason = errno
        var facts = stat()
        let isCut = unsafe self.isRegularFile && fstat(self.descriptor, &facts) == 0
            && facts.st_size >= off_t(written) && ftruncate(self.descriptor, facts.st_size - off_t(written)) == 0
        if !isCut { self.endsMidLine = true }
        errno = reason
    }

    /// False when the attempt is to be given up.
    private func waitUntilWritable(_ isGivenUp: () -> Bool) -> Bool {
        while !isGivenUp() {
            var waiting = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
            if unsafe poll(&waiting, 1, Self.patienceMilliseconds) > 0 { return true }
        }
        errno = EAGAIN
        return false
    }

    // MARK: syslog

    private static let sendFlags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)

    private func sendPacket(_ packet: [UInt8], path: String, isGivenUp: () -> Bool) -> Bool {
        var mayConnect = true
        while true {
            if self.descriptor >= 0 {
                let result = unsafe packet.withUnsafeBytes { bytes in
                    unsafe send(self.descriptor, bytes.baseAddress, bytes.count, Self.sendFlags)
                }
                if result >= 0 { return true }
                if errno == EINTR { continue }
                if errno == EAGAIN || errno == ENOBUFS {
                    guard self.waitUntilWritable(isGivenUp) else { return false }
                    continue
                }
            }
            // The logger was started anew, or is gone.
            guard mayConnect else { return false }
            mayConnect = false
            let reason = errno
            self.close()
            errno = reason
            self.descriptor = Self.connect(toSocketAt: path)
            guard self.descriptor >= 0 else { return false }
        }
    }

    /// The descriptor, or -1 and the reason in `errno`.
    static func connect(toSocketAt path: String) -> Int32 {
        let bytes = Array(path.utf8)
        var address = sockaddr_un()
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return -1 }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, size)
            }
        }
        if result == 0 { return descriptor }
        let reason = errno
        _ = Glibc.close(descriptor)
        errno = reason
        return -1
    }

    static func systemText() -> String { unsafe String(cString: strerror(errno)) }
}
