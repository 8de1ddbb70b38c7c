import Glibc

/// The standard streams that the process was started with.
enum StandardStreams {
    /// Those that the parent has closed lead to /dev/null from now on: the next file or socket that is opened would
    /// get the number of such a stream, and log lines would be written into it. Call before anything is opened.
    static func openMissing() {
        // open() takes the lowest number that is free.
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = unsafe open("/dev/null", O_RDWR)
        }
    }

    /// Writes all of the text, or as much as the stream takes: a full disk or a reader that has gone must not change
    /// how the program goes on, nor its exit code.
    static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let offset = written
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            written += count
        }
    }
}
