import Glibc

/// A thread of a lane.
enum LaneThread {
    /// What it is and does, on its way there.
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs `body` on a thread of its own. False when the system has none left: Foundation's threads say nothing then,
    /// and never begin.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        var handle = pthread_t()
        let argument = unsafe Unmanaged.passRetained(Start(name: name, body: body)).toOpaque()
        let result = unsafe pthread_create(&handle, nil, { argument in
            guard let argument = unsafe argument else { return nil }
            let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            Self.nameCurrent(start.name)
            start.body()
            return nil
        }, argument)
        if result == 0 {
            _ = pthread_detach(handle)
            return true
        }
        unsafe Unmanaged<Start>.fromOpaque(argument).release()
        return false
    }

    /// As tools show it, cut to 15 bytes by the kernel. Without /proc, or a descriptor, the thread keeps the name of
    /// whoever made it.
    private static func nameCurrent(_ name: String) {
        let file = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        var text = name
        _ = text.withUTF8 { bytes in unsafe Glibc.write(file, bytes.baseAddress, bytes.count) }
        _ = close(file)
    }
}
