;;;; Runs where an image is to be, in a Lisp that a command such as `ssh host sbcl --script` started: finds or
;;;; starts the image of one workspace there, and passes on bytes between it and standard input and output.
;;;;
;;;; Read from standard input after `*letter*` has been set, so ASCII only. What it says is one line.

(require :sb-bsd-sockets)
(require :sb-posix)

(defpackage "DESCARTES-BRIDGE" (:use "COMMON-LISP"))
(in-package "DESCARTES-BRIDGE")

(defvar *letter* cl-user::*letter*)

(defun entry (name) (getf *letter* name))

(defun say (control &rest arguments)
  (format *standard-output* "~&descartes: ~a~%"
          (substitute #\Space #\Newline (apply #'format nil control arguments)))
  (finish-output *standard-output*))

(defun quit (control &rest arguments)
  (apply #'say control arguments)
  (sb-ext:exit :code 0 :abort t))

;;; Where the record of the image lies

(defun private-folder ()
  "Return a folder that is this user's alone."
  (let* ((runtime (sb-posix:getenv "XDG_RUNTIME_DIR"))
         (path (if (and runtime (probe-file runtime))
                   (format nil "~a/descartes/" (string-right-trim "/" runtime))
                   (format nil "/tmp/descartes-~d/" (sb-posix:getuid)))))
    (handler-case (sb-posix:mkdir path #o700) (sb-posix:syscall-error () nil))
    (let ((status (sb-posix:lstat (string-right-trim "/" path))))
      (unless (and (= (sb-posix:stat-uid status) (sb-posix:getuid))
                   (= (logand (sb-posix:stat-mode status) #o170777) #o040700))
        (quit "failed ~a is not a folder of yours alone" path)))
    path))

(defun file (type)
  (format nil "~aaway-~a.~a" (private-folder) (entry :key) type))

(defun write-privately (path text)
  (let ((draft (format nil "~a.~d" path (sb-posix:getpid))))
    (with-open-file (out draft :direction :output :if-exists :supersede)
      (sb-posix:chmod draft #o600)
      (write-string text out))
    (sb-unix:unix-rename draft path)))

(defun start-time (pid)
  "Return when PID was started; nil when it is gone or there is no telling."
  (ignore-errors
   (with-open-file (in (format nil "/proc/~d/stat" pid) :external-format :latin-1)
     (let* ((line (read-line in))
            (fields (subseq line (+ 2 (position #\) line :from-end t)))))
       (unless (find (char fields 0) "ZXx")
         (loop repeat 19
               for start = 0 then (1+ end)
               for end = (position #\Space fields :start start)
               finally (return (subseq fields (1+ end) (position #\Space fields :start (1+ end))))))))))

(defun record ()
  "Return (:pid :port :secret :started) of the image when it runs."
  (let ((record (ignore-errors
                 (with-open-file (in (file "record"))
                   (with-standard-io-syntax (let ((*read-eval* nil)) (read in)))))))
    (and record
         (handler-case (progn (sb-posix:kill (getf record :pid) 0) t) (sb-posix:syscall-error () nil))
         (equal (getf record :started) (start-time (getf record :pid)))
         record)))

;;; Starting the image

(defun image-command (boot)
  "Return the command of this very Lisp, with the same options of its runtime."
  (list* (sb-ext:native-namestring sb-ext:*runtime-pathname*)
         (append (entry :options)
                 (list "--noinform" "--no-sysinit" "--no-userinit" "--disable-debugger" "--load" boot))))

(defun last-line (path)
  (ignore-errors
   (with-open-file (in path :external-format :latin-1)
     (loop with last = ""
           for line = (read-line in nil)
           while line
           do (unless (zerop (length (string-trim " ;" line))) (setf last line))
           finally (return last)))))

(defun boot-text ()
  "Return what the image loads: its own letter, then its program."
  (format nil "(cl:defparameter cl-user::*letter* '~a)~%~a"
          (with-standard-io-syntax
            (prin1-to-string (list* :record (file "record") :problem (file "problem") (entry :image))))
          (entry :program)))

(defun start-image ()
  "Start the image so that it outlives this process; return its record."
  (let ((boot (file "boot")) (log (file "log")))
    (write-privately boot (boot-text))
    (ignore-errors (delete-file (file "problem")))
    (sb-ext:run-program "/bin/sh"
                        (list* "-c" "log=$0; nohup \"$@\" >\"$log\" 2>&1 </dev/null &" log (image-command boot))
                        :wait t)
    (loop repeat 900
          thereis (let ((record (record)))
                    (when record (ignore-errors (delete-file boot)))
                    record)
          do (let ((problem (last-line (file "problem"))))
               (when problem (quit "failed ~a" problem)))
             (sleep 1/10)
          finally (quit "failed the Lisp was not ready in time; its log is ~a" log))))

(defun stop-image (record)
  (loop for signal in (list sb-posix:sigterm sb-posix:sigkill)
        do (ignore-errors (sb-posix:kill (getf record :pid) signal))
           (loop repeat 30 while (record) do (sleep 1/10)))
  (ignore-errors (delete-file (file "record"))))

;;; Passing on bytes

(defun write-all (fd buffer count)
  (sb-sys:with-pinned-objects (buffer)
    (loop with done = 0
          while (< done count)
          do (let ((written (sb-unix:unix-write fd buffer done (- count done))))
               (cond (written (incf done written))
                     (t (sb-sys:wait-until-fd-usable fd :output 10 nil)))))))

(defun pass-on (from to)
  "Write what comes from the descriptor FROM to TO until there is no more, then end."
  (let ((buffer (make-array 65536 :element-type '(unsigned-byte 8))))
    (ignore-errors
     (loop
       (sb-sys:wait-until-fd-usable from :input nil nil)
       (multiple-value-bind (count problem)
           (sb-sys:with-pinned-objects (buffer)
             (sb-unix:unix-read from (sb-sys:vector-sap buffer) (length buffer)))
         (cond ((null count) (unless (member problem (list sb-posix:eintr sb-posix:eagain)) (return)))
               ((zerop count) (return))
               (t (write-all to buffer count))))))
    (sb-ext:exit :code 0 :abort t)))

(defun greet (fd secret)
  "Send SECRET as the first packet, as a server that wants one expects."
  (let ((octets (sb-ext:string-to-octets (format nil "~6,'0x~a" (length secret) secret))))
    (write-all fd octets (length octets))))

(defun bridge (record)
  (let ((socket (make-instance 'sb-bsd-sockets:inet-socket :type :stream :protocol :tcp)))
    (handler-case (sb-bsd-sockets:socket-connect socket #(127 0 0 1) (getf record :port))
      (error (problem) (quit "failed the Lisp, process ~d, does not answer: ~a" (getf record :pid) problem)))
    (setf (sb-bsd-sockets:sockopt-tcp-nodelay socket) t)
    (let ((fd (sb-bsd-sockets:socket-file-descriptor socket)))
      (greet fd (getf record :secret))
      (say "ready ~d" (getf record :pid))
      (sb-thread:make-thread (lambda () (pass-on 0 fd)))
      (pass-on fd 1))))

(handler-case
    (let ((record (record)))
      (ecase (entry :action)
        (:start (bridge (or record (start-image))))
        (:attach (if record (bridge record) (quit "gone")))
        (:stop (when record (stop-image record)) (quit "stopped"))))
  (error (problem) (quit "failed ~a" problem)))
