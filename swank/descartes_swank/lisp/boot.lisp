;;;; The life of an image that Descartes started: secret, server, record, idle watch, end.
;;;;
;;;; Nothing here is needed on an image that was only attached to.

(eval-when (:compile-toplevel :load-toplevel :execute)
  (unless (find-package "DESCARTES-BOOT")
    (make-package "DESCARTES-BOOT" :use '("COMMON-LISP"))))

(in-package "DESCARTES-BOOT")

(defvar *secret* nil "What a client must send first, or NIL before the image has been told.")
(defvar *homedir* nil "Where the Lisp that saved this core keeps its contributed modules.")
(defvar *ending* nil "A semaphore; signalled, it ends the image.")
(defvar *record-file* nil "The file that names this image, or NIL.")
(defvar *mailboxes* nil "By thread, weakly: its mailbox.")
(defvar *scratch-names* nil "How many files of this process were named, and what their names begin with.")
(defvar *idle-seconds* nil "How long the image stays without a client, or NIL for as long as it likes.")
(defvar *init-problem* nil "Why the user's initialization file could not be loaded, or NIL.")

;;; What Swank does otherwise, in an image of ours

(defun set-no-delay (stream)
  "Send what is written to the socket behind STREAM at once (Nagle's algorithm costs 40 ms)."
  (let* ((tcp-level 6)
         (no-delay 1)
         (fd (sb-sys:fd-stream-fd stream)))
    (sb-alien:with-alien ((on sb-alien:int 1))
      (sb-alien:alien-funcall
       (sb-alien:extern-alien "setsockopt" (function sb-alien:int sb-alien:int sb-alien:int sb-alien:int
                                                     (* sb-alien:int) sb-alien:int))
       fd tcp-level no-delay (sb-alien:addr on) 4))))

(defun serve-client (socket stream style)
  "Let the client on STREAM in if it knows the secret, else hang up."
  (handler-case
      (progn (swank::authenticate-client stream)
             (swank::serve-requests (swank::make-connection socket stream style)))
    (error (problem)
      (format *error-output* "~&;; descartes: a client was refused: ~a~%" problem)
      (finish-output *error-output*)
      (ignore-errors (close stream :abort t)))))

(defun accept-clients (socket style dont-close)
  "Accept one client of SOCKET. A thread of its own hears its secret, so that a silent one stops nobody."
  (declare (ignore dont-close))
  (let ((stream (swank/backend:accept-connection socket :external-format nil :buffering t)))
    (set-no-delay stream)
    (swank/backend:spawn (lambda () (serve-client socket stream style)) :name "descartes client")))

(defun attending-connection ()
  "Return the connection that is to see this thread's errors, or NIL when there is no client.
A thread whose client has gone is given to the newest one."
  (let ((own swank::*emacs-connection*)
        (live swank::*connections*))
    (cond ((and own (member own live)) own)
          ((null live) nil)
          (own (setf swank::*emacs-connection* (first live)))
          (t (swank::default-connection)))))

(defun debug-when-attended (condition)
  "Show CONDITION to the client; without one, wait for one."
  (swank::without-slime-interrupts
    (let ((connection (loop (let ((connection (attending-connection)))
                              (when connection (return connection)))
                            (sleep 1/10))))
      (if swank::*emacs-connection*
          (swank::debug-in-emacs condition)
          (swank::with-connection (connection)
            (swank::debug-in-emacs condition))))))

(defun thread-mailbox (thread)
  "Return the mailbox of THREAD. Swank's own way keeps the thread of every request and searches them all."
  (sb-ext:with-locked-hash-table (*mailboxes*)
    (or (gethash thread *mailboxes*)
        (setf (gethash thread *mailboxes*) (swank/sbcl::make-mailbox)))))

;;; Compiling a form writes two files that are gone a moment later; on a disk they take as long as compiling.

(defconstant +private-folder+ #o40700 "The mode of a folder that its owner alone can use.")

(defun private-folder-p (folder user)
  "True when FOLDER is USER's alone."
  (multiple-value-bind (found device node mode links owner) (sb-unix:unix-lstat folder)
    (declare (ignore device node links))
    (and found (= user owner) (= +private-folder+ mode))))

(defun memory-folder ()
  "Return a folder in memory that is this user's alone, or nil where this system has none."
  (let* ((user (sb-posix:getuid))
         (folder (format nil "/dev/shm/descartes-~d" user)))
    (unless (private-folder-p folder user)
      (ignore-errors (sb-posix:mkdir folder #o700)))
    (and (private-folder-p folder user) folder)))

(defun scratch-file-name ()
  "Return the name of no file, in memory if that is possible."
  (let ((folder (memory-folder)))
    (if folder
        (let ((names (or *scratch-names*
                         (setf *scratch-names*
                               (cons 0 (format nil "~36r" (random (expt 2 64) (make-random-state t))))))))
          (format nil "~a/~a-~d" folder (cdr names) (sb-ext:atomic-incf (car names))))
        (swank/sbcl::tempnam nil "descartes"))))

(defun change-swank ()
  ;; After every reply Swank would go through the symbols of a package, for a cache of Emacs'.
  ;; And of every message it would keep a printed copy, for an error in Swank itself.
  (setf swank::*configure-emacs-indentation* nil
        swank::*enable-event-history* nil
        *mailboxes* (make-hash-table :test 'eq :weakness :key :synchronized t))
  (sb-ext:without-package-locks
    (handler-bind ((warning #'muffle-warning))
      (setf (fdefinition 'swank/sbcl::mailbox) #'thread-mailbox
            (fdefinition 'swank/sbcl::temp-file-name) #'scratch-file-name
            (fdefinition 'swank::slime-secret) (lambda () *secret*)
            (fdefinition 'swank::accept-connections) #'accept-clients
            (fdefinition 'swank::invoke-slime-debugger) #'debug-when-attended))))

;;; Saving

(defun prepare ()
  (setf *homedir* (sb-int:sbcl-homedir-pathname)
        *scratch-names* nil
        swank::*log-output* nil)
  (change-swank)
  (asdf:clear-configuration))

(defun save (path)
  "Save this image as the core PATH and end."
  (prepare)
  (sb-ext:save-lisp-and-die path :toplevel #'start))

(defun start-from-source ()
  "Go on as an image without having been saved."
  (prepare)
  (start))

;;; Starting

(defun start-time ()
  "Return when this process was started, in the words that Descartes compares."
  (with-open-file (in "/proc/self/stat" :if-does-not-exist nil :external-format :latin-1)
    (if in
        (let* ((line (read-line in))
               (fields (subseq line (+ 2 (position #\) line :from-end t)))))
          ;; Field 22 of the line; the name of the program, field 2, may hold blanks and is cut off.
          (loop repeat 19
                for start = 0 then (1+ end)
                for end = (position #\Space fields :start start)
                finally (return (subseq fields (1+ end) (position #\Space fields :start (1+ end))))))
        (string-trim '(#\Space #\Newline)
                     (with-output-to-string (out)
                       (sb-ext:run-program "/bin/ps"
                                           (list "-o" "lstart=" "-p" (princ-to-string (sb-posix:getpid)))
                                           :environment '("LC_ALL=C") :output out))))))

(defun take-standard-input ()
  "Return the line on standard input and leave an empty input in its place, not a pipe that breaks."
  (let ((line (read-line sb-sys:*stdin*))
        (nothing (sb-posix:open "/dev/null" sb-posix:o-rdonly)))
    (sb-posix:dup2 nothing 0)
    (sb-posix:close nothing)
    (descartes-service::read-json line)))

(defun load-init-file ()
  "Load the user's initialization file; a problem is kept in *INIT-PROBLEM* and stops nothing."
  (let ((file (probe-file (merge-pathnames ".sbclrc" (user-homedir-pathname)))))
    (when file
      (handler-case
          (let ((*package* (find-package "COMMON-LISP-USER")))
            (sb-ext:with-timeout 100
              (let ((sb-ext:*invoke-debugger-hook*
                      (lambda (condition hook)
                        (declare (ignore hook))
                        (error "it entered the debugger: ~a" condition))))
                (load file))))
        (serious-condition (problem)
          (setf *init-problem* (format nil "~a: ~a" (namestring file) problem))
          (format *error-output* "~&;; descartes: ~a~%" *init-problem*))))))

(defun write-record (settings port service)
  "Write the file that names this image: first to another name, so that nobody reads half of it."
  (let* ((path (descartes-service::entry settings "record"))
         (draft (format nil "~a.~d" path (sb-posix:getpid)))
         (record (list :object
                       "pid" (sb-posix:getpid)
                       "start_time" (start-time)
                       "boot_id" (descartes-service::entry settings "bootId")
                       "host" "127.0.0.1"
                       "port" port
                       "secret" *secret*
                       "service_socket" service
                       "implementation" (lisp-implementation-type)
                       "version" (lisp-implementation-version)
                       "swank_version" (or swank::*swank-wire-protocol-version*
                                           (descartes-service::entry settings "swankVersion"))
                       "started_at" (- (get-universal-time) #.(encode-universal-time 0 0 0 1 1 1970 0))
                       "init_problem" *init-problem*)))
    (with-open-file (out draft :direction :output :if-exists :supersede :external-format :utf-8)
      (write-line (descartes-service::json-text record) out))
    (sb-posix:chmod draft #o600)
    (sb-unix:unix-rename draft path)
    (setf *record-file* path)))

(defun report (settings text &key last)
  "Tell the starting process TEXT; that it has died is no reason to stop."
  (let ((fd (descartes-service::entry settings "reportFd"))
        (line (sb-ext:string-to-octets (format nil "~a~%" text) :external-format :utf-8)))
    (sb-unix:unix-write fd line 0 (length line))
    (when last
      (sb-posix:close fd))))

(defun restore-surroundings ()
  "Make what a saved core remembers of the machine true again."
  (setf *default-pathname-defaults* (pathname (concatenate 'string (sb-posix:getcwd) "/")))
  (when (and *homedir* (not (sb-posix:getenv "SBCL_HOME")))
    (sb-posix:setenv "SBCL_HOME" (sb-ext:native-namestring *homedir*) 1))
  (uiop:call-image-restore-hook)
  (setf *package* (find-package "COMMON-LISP-USER")))

(defun ignore-terminal-signals ()
  (sb-sys:enable-interrupt sb-unix:sighup :ignore)
  (sb-sys:enable-interrupt sb-unix:sigint :ignore)
  (sb-sys:enable-interrupt sb-unix:sigpipe :ignore)
  (sb-sys:enable-interrupt sb-unix:sigterm
                           (lambda (&rest ignored)
                             (declare (ignore ignored))
                             (sb-thread:signal-semaphore *ending*))))

(defun open-doors (settings)
  "Open the Swank server and the answering service; returns the port and the path of the socket."
  (setf swank::*loopback-interface* "127.0.0.1"
        swank::*communication-style* :spawn)
  (swank/backend:install-debugger-globally #'swank::swank-debugger-hook)
  (let ((service (descartes-service::entry settings "serviceSocket")))
    (descartes-service::start-service service)
    (values (swank:create-server :port 0 :dont-close t :style :spawn) service)))

(defun start ()
  "Run as the image of one workspace until told to end."
  (sb-ext:enable-debugger)
  (setf *ending* (sb-thread:make-semaphore :name "descartes ending"))
  (let ((settings (handler-case (take-standard-input)
                    (error () (sb-ext:exit :code 2 :abort t)))))
    (handler-case
        (progn
          (setf *secret* (descartes-service::entry settings "secret")
                *idle-seconds* (descartes-service::entry settings "idleSeconds"))
          (ignore-terminal-signals)
          (report settings "begun")
          (restore-surroundings)
          (when (descartes-service::entry settings "loadInit")
            (load-init-file))
          (multiple-value-call #'write-record settings (open-doors settings)))
      (serious-condition (problem)
        (let ((reason (substitute #\Space #\Newline (princ-to-string problem))))
          (report settings (format nil "failed ~a" reason) :last t))
        (sb-ext:exit :code 1 :abort t)))
    (report settings "ready" :last t)
    (watch settings)
    (end settings)))

;;; Ending

(defun gone-p (path)
  "True when the folder PATH does not exist; a disk that cannot be read just now is no such case."
  (and path
       (handler-case (progn (sb-posix:stat path) nil)
         (sb-posix:syscall-error (problem)
           (= (sb-posix:syscall-errno problem) sb-posix:enoent)))))

(defun clients-p ()
  (or swank::*connections* (plusp (descartes-service::service-clients))))

(defun watch (settings)
  "Return when the image has to end: told to, its workspace gone, or too long without a client."
  (loop with workspace = (descartes-service::entry settings "workspace")
        with absences = 0
        with idle = 0
        until (sb-thread:wait-on-semaphore *ending* :timeout 1)
        do (setf absences (if (gone-p workspace) (1+ absences) 0)
                 idle (if (clients-p) 0 (1+ idle)))
        ;; One absence may be a folder that is just being replaced.
        until (or (> absences 1) (and *idle-seconds* (>= idle *idle-seconds*)))))

(defun take-place (record idle-seconds)
  "From now on be the image of the workspace: named by the file RECORD, and there without a client for long."
  (setf *record-file* record
        *idle-seconds* idle-seconds)
  t)

(defun own-record-p ()
  "True when the record still names this process: a newer image may have taken its place."
  (ignore-errors
   (with-open-file (in *record-file* :external-format :utf-8)
     (eql (descartes-service::entry (descartes-service::read-json (read-line in)) "pid") (sb-posix:getpid)))))

(defun kill-after (seconds)
  "Let the system kill this process after SECONDS, whatever it is doing."
  (sb-sys:enable-interrupt sb-unix:sigalrm :default)
  (sb-alien:alien-funcall
   (sb-alien:extern-alien "alarm" (function sb-alien:unsigned sb-alien:unsigned))
   seconds))

(defun end (settings)
  "End the image. What the user wants done at the end is done, if it neither errs nor takes long."
  (kill-after 2)
  (when (own-record-p)
    (ignore-errors (delete-file *record-file*)))
  (ignore-errors (sb-posix:unlink (descartes-service::entry settings "serviceSocket")))
  (setf *debugger-hook* nil
        sb-ext:*invoke-debugger-hook* (lambda (condition hook)
                                        (declare (ignore condition hook))
                                        (sb-ext:exit :code 1 :abort t)))
  (sb-ext:exit :code 0 :timeout 1))
