import Glibc
import Synchronization

/// Writes log lines to a descriptor and never waits for whoever reads them: a worker may be logging, and a pipe whose
/// reader has stopped would stop it with all its clients. Lines that are not taken are dropped and counted. Any thread.
final class LineWriter: Sendable {
    private struct State {
        /// Lines not taken since the last one that was.
        var dropped = 0
        /// Of the last line only a part was taken.
        var isMidLine = false
    }

    /// What a pipe takes at once whenever it says that it takes something (PIPE_BUF).
    private static let pieceBytes = 4_096

    private let descriptor: Int32
    /// It is one that `whatNeverWaits` has opened.
    private let isOpenedHere: Bool
    /// The line that tells how many are missing in its place.
    private let note: @Sendable (Int) -> String
    /// Held while a line is written: two threads must not share the last room of a pipe, nor mix their lines.
    private let state = Mutex(State())

    init(descriptor: Int32, note: @escaping @Sendable (Int) -> String) {
        let own = Self.whatNeverWaits(for: descriptor)
        self.descriptor = own ?? descriptor
        self.isOpenedHere = own != nil
        self.note = note
    }

    deinit {
        if self.isOpenedHere { _ = close(self.descriptor) }
    }

    /// A terminal says that it takes something when it has room for one byte, and makes whoever writes more wait for
    /// its reader: a frozen session, a container's log driver. So it is opened once more, without waiting; the
    /// descriptor that the process was started with may be shared with a shell, and stays as it is. Nil for all else,
    /// and where the terminal cannot be opened.
    private static func whatNeverWaits(for descriptor: Int32) -> Int32? {
        guard isatty(descriptor) == 1 else { return nil }
        let flags = O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC
        let own = unsafe open("/proc/self/fd/\(descriptor)", flags)
        return own >= 0 ? own : nil
    }

    /// - Parameter line: with its line feed. One `write(2)`, unless it is longer than 4096 bytes.
    func write(_ line: String) {
        self.state.withLock { state in
            if state.dropped > 0, self.send(self.note(state.dropped), &state) { state.dropped = 0 }
            if state.dropped > 0 || !self.send(line, &state) { state.dropped += 1 }
        }
    }

    /// False when the line was not taken, or not all of it.
    private func send(_ text: String, _ state: inout State) -> Bool {
        var line = state.isMidLine ? "\n" + text : text
        let count = line.utf8.count
        var sent = 0
        line.withUTF8 { bytes in
            while sent < count, self.isReady {
                let size = min(count - sent, Self.pieceBytes)
                let taken = unsafe Glibc.write(self.descriptor, bytes.baseAddress?.advanced(by: sent), size)
                if taken < 0, errno == EINTR { continue }
                guard taken > 0 else { break }
                sent += taken
            }
        }
        if sent > 0 { state.isMidLine = sent < count }
        return sent == count
    }

    /// Whether a write ends at once, be it with an error.
    private var isReady: Bool {
        var waiting = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&waiting, 1, 0) != 0
    }
}
