import Foundation

/// A child process of the demonstration, started with `posix_spawn`.
///
/// Foundation's `Process` is no use here: it sees the end of a child by a descriptor that the child inherits, and
/// a PostgreSQL started by `pg_ctl` would inherit it too. This child gets its three streams and nothing else, no
/// blocked signals, and a process group of its own, so that Ctrl-C reaches the gateway alone.
struct SpawnedChild: Sendable {
    private static let signalStatusBase: Int32 = 128

    private let identifier: pid_t

    /// Starts the program with the words of its command line. Throws when it cannot be started.
    init(program: String, arguments: [String], streams: StreamFiles) throws(DemoError) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let writing = O_WRONLY | O_CREAT | O_TRUNC
        let opened: [(Int32, StreamFiles.Stream, Int32)] = [
            (STDIN_FILENO, .input, O_RDONLY), (STDOUT_FILENO, .output, writing), (STDERR_FILENO, .complaint, writing),
        ]
        for (descriptor, stream, flags) in opened {
            unsafe posix_spawn_file_actions_addopen(&actions, descriptor, streams.path(of: stream), flags, 0o600)
        }

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        Self.separate(&attributes)

        let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
        var child: pid_t = 0
        let status = unsafe Self.withCStrings([program] + arguments) { words in
            unsafe Self.withCStrings(environment) { variables in
                unsafe posix_spawn(&child, program, &actions, &attributes, words, variables)
            }
        }
        guard status == 0 else {
            throw .programFailed(program: program, output: unsafe String(cString: strerror(status)))
        }
        self.identifier = child
    }

    /// No blocked or ignored signals, and a process group of its own.
    private static func separate(_ attributes: inout posix_spawnattr_t) {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
    }

    /// Waits for the end. Returns the exit status, or 128 and the signal's number as a shell does.
    func wait() -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(self.identifier, &status, 0) < 0 {
            guard errno == EINTR else { return -1 }
        }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : Self.signalStatusBase + signal
    }

    /// Calls the body with a NULL-terminated array of C strings that lives as long as the call.
    /// The result is the body's error number.
    private static func withCStrings(
        _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        var copies = unsafe texts.map { unsafe strdup($0) } + [nil]
        defer {
            for unsafe copy in unsafe copies { unsafe free(copy) }
        }
        return unsafe copies.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return EINVAL }
            return unsafe body(base)
        }
    }
}
