;;;; The answering service: a Unix socket, one question in JSON per line, one answer per line.
;;;;
;;;; Every client has a few threads. One of them reads; when it has a question, another one reads on,
;;;; and the first answers: a question is never handed from thread to thread, a long one holds up no
;;;; other, and cancelling or hanging up is noticed meanwhile. Of long questions a few run at once.

(in-package "DESCARTES-SERVICE")

(defconstant +threads-per-client+ 5)
(defconstant +long-at-once+ 3 "Of one client; a hub asks for many people, and one thread reads on.")
(defconstant +longest-line+ 4194304)
(defconstant +longest-answer-ms+ 60000 "What a question may take that names no deadline.")

(defstruct (client (:constructor make-client (socket fd)))
  socket
  (fd 0 :type fixnum)
  (reading (sb-thread:make-mutex :name "descartes reading"))
  (writing (sb-thread:make-mutex :name "descartes writing"))
  (input (make-array 65536 :element-type '(unsigned-byte 8)) :type octets)
  (start 0 :type fixnum)        ; what was read and not yet used lies between START and END
  (end 0 :type fixnum)
  (open t)
  (threads +threads-per-client+)
  (slow-lock (sb-thread:make-mutex :name "descartes long questions"))
  (slow-busy 0 :type fixnum)
  (slow-waiting '()))

(defvar *clients* 0 "How many clients the service has.")
(defvar *clients-lock* (sb-thread:make-mutex :name "descartes clients"))

(defun service-clients ()
  *clients*)

;;; Lines

(defun read-more (client)
  "Read once more into CLIENT's input; NIL at its end."
  (let ((input (client-input client)))
    (when (plusp (client-start client))
      (replace input input :start2 (client-start client) :end2 (client-end client))
      (decf (client-end client) (client-start client))
      (setf (client-start client) 0))
    (when (= (client-end client) (length input))
      (when (>= (length input) +longest-line+)
        (return-from read-more nil))
      (setf input (replace (make-array (* 2 (length input)) :element-type '(unsigned-byte 8)) input)
            (client-input client) input))
    (loop
      (multiple-value-bind (count errno)
          (sb-sys:with-pinned-objects (input)
            (sb-unix:unix-read (client-fd client)
                               (sb-sys:sap+ (sb-sys:vector-sap input) (client-end client))
                               (- (length input) (client-end client))))
        (cond ((and count (plusp count))
               (return (incf (client-end client) count)))
              ((not (eql errno sb-unix:eintr)) (return nil)))))))

(defun next-line (client)
  "Return the next line of CLIENT as a string, or NIL when it has hung up."
  (loop with seen = (client-start client)
        for newline = (position 10 (client-input client) :start seen :end (client-end client))
        do (when newline
             (let ((start (client-start client)))
               (setf (client-start client) (1+ newline))
               (return (octets-text (subseq (client-input client) start newline)))))
           (let ((unread (- (client-end client) (client-start client))))
             (unless (read-more client) (return nil))
             (setf seen unread))))

(defun send-octets (client octets count)
  (sb-thread:with-mutex ((client-writing client))
    (loop with sent = 0
          while (and (client-open client) (< sent count))
          do (multiple-value-bind (written errno)
                 (sb-unix:unix-write (client-fd client) octets sent (- count sent))
               (cond (written (incf sent written))
                     ((not (eql errno sb-unix:eintr)) (return)))))))

(defun send-object (client object)
  "Send OBJECT as one line; one that cannot be written becomes an error under the same id."
  (let ((sink (make-sink)))
    (handler-case (put-json object sink)
      (serious-condition (condition)
        (setf (sink-fill sink) 0)
        (put-json (list :object "id" (getf (rest object) "id") "error" (condition-failure condition)) sink)))
    (put-octet 10 sink)
    (send-octets client (sink-octets sink) (sink-fill sink))))

;;; Questions of one client

(defun answer-client (client question)
  (send-object client (answer-registered question)))

(defun take-slow (client question)
  "Return true when the caller is to answer QUESTION, a long one; else it waits for its turn."
  (sb-thread:with-mutex ((client-slow-lock client))
    (if (>= (client-slow-busy client) +long-at-once+)
        (progn (setf (client-slow-waiting client) (append (client-slow-waiting client) (list question)))
               nil)
        (incf (client-slow-busy client)))))

(defun next-slow (client)
  (sb-thread:with-mutex ((client-slow-lock client))
    (or (pop (client-slow-waiting client))
        (progn (decf (client-slow-busy client)) nil))))

(defun answer-slow (client question)
  (when (take-slow client question)
    (loop while question
          do (answer-client client question)
             (setf question (next-slow client)))))

(defun with-deadline (request)
  (if (integerp (entry request "deadlineMs"))
      request
      (acons "deadlineMs" +longest-answer-ms+ request)))

(defun parsed-request (client line)
  "Return the request that LINE is; one that is none is answered, and NIL."
  (handler-case (let ((object (read-json line)))
                  (check-type object list)
                  object)
    (serious-condition (problem)
      (send-object client (list :object "error" (condition-failure problem)))
      nil)))

(defun taken-request (client request)
  "Do what REQUEST says if that is short, and return the question that it asks, or NIL."
  (cond ((null request) nil)
        ((assoc "cancel" request :test #'string=)
         (cancel-questions client (entry request "cancel"))
         nil)
        (t (register-question (with-deadline request) client))))

(defun answer-taken (client question)
  (if (slow-p (question-request question))
      (answer-slow client question)
      (answer-client client question)))

;;; Threads of one client

(defun hung-up (client)
  "End what is still asked by CLIENT, which has hung up."
  (setf (client-open client) nil)
  (cancel-questions client))

(defun next-question (client)
  "Return the next question of CLIENT, or NIL if its next line asks none; the second value is true at its end.

A question is registered before another thread can read on: cancelling and hanging up find every
question that was asked before."
  (sb-thread:with-mutex ((client-reading client))
    (let ((line (and (client-open client) (next-line client))))
      (cond (line (values (taken-request client (parsed-request client line)) nil))
            ((client-open client) (hung-up client) (values nil t))
            (t (values nil t))))))

(defun serve (client)
  (loop
    (multiple-value-bind (question end) (next-question client)
      (when end (return))
      (when question
        (handler-case (answer-taken client question)
          (serious-condition (problem)
            (format *error-output* "~&;; descartes: a question was lost: ~a~%" problem))))))
  (when (zerop (sb-thread:with-mutex (*clients-lock*) (decf (client-threads client))))
    (sb-bsd-sockets:socket-close (client-socket client))
    (sb-thread:with-mutex (*clients-lock*) (decf *clients*))))

(defun start-client (socket)
  (let ((client (make-client socket (sb-bsd-sockets:socket-file-descriptor socket))))
    (sb-thread:with-mutex (*clients-lock*) (incf *clients*))
    (loop repeat +threads-per-client+
          do (sb-thread:make-thread #'serve :arguments (list client) :name "descartes answers"))))

;;; The door

(defun accept-service-clients (listener)
  (loop
    (handler-case (let ((socket (sb-bsd-sockets:socket-accept listener)))
                    (when socket (start-client socket)))
      (error (problem)
        (format *error-output* "~&;; descartes: no client could be accepted: ~a~%" problem)
        (sleep 1/10)))))

(defun start-service (path)
  "Answer questions on the Unix socket PATH, which only this user can open."
  (let ((listener (make-instance 'sb-bsd-sockets:local-socket :type :stream)))
    (let ((umask (sb-posix:umask #o077)))
      (sb-bsd-sockets:socket-bind listener path)
      (sb-posix:chmod path #o600)
      (sb-posix:umask umask))
    (sb-bsd-sockets:socket-listen listener 64)
    (ensure-watcher)
    (sb-thread:make-thread #'accept-service-clients :arguments (list listener) :name "descartes service")))
