;;;; The answering service: a Unix socket, one question in JSON per line, one answer per line.
;;;;
;;;; Every client has a few threads. One of them reads; when it has a question, another one reads on,
;;;; and the first answers: a question is never handed from thread to thread, a long one holds up no
;;;; other, and cancelling or hanging up is noticed meanwhile. Long questions run one at a time.

(in-package "DESCARTES-SERVICE")

(defconstant +threads-per-client+ 4)
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
  (slow-busy nil)
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

(defun answer-client (client request)
  (send-object client (answer-request request client)))

(defun take-slow (client request)
  "Return true when the caller is to answer REQUEST, a long one; else it waits for its turn."
  (sb-thread:with-mutex ((client-slow-lock client))
    (if (client-slow-busy client)
        (progn (setf (client-slow-waiting client) (append (client-slow-waiting client) (list request)))
               nil)
        (setf (client-slow-busy client) t))))

(defun next-slow (client)
  (sb-thread:with-mutex ((client-slow-lock client))
    (or (pop (client-slow-waiting client))
        (setf (client-slow-busy client) nil))))

(defun forget-slow (client id)
  "Take the waiting question ID away; true when there was one."
  (sb-thread:with-mutex ((client-slow-lock client))
    (let ((request (find id (client-slow-waiting client)
                         :test #'equal :key (lambda (request) (entry request "id")))))
      (when request
        (setf (client-slow-waiting client) (remove request (client-slow-waiting client)))
        t))))

(defun answer-slow (client request)
  (when (take-slow client request)
    (loop while request
          do (answer-client client request)
             (setf request (next-slow client)))))

(defun cancel (client id)
  (if (forget-slow client id)
      (send-object client (list :object "id" id "error" (reason-failure "cancelled")))
      (cancel-questions client id)))

(defun with-deadline (request)
  (if (integerp (entry request "deadlineMs"))
      request
      (acons "deadlineMs" +longest-answer-ms+ request)))

(defun handle-line (client line)
  (let ((request (handler-case (let ((object (read-json line)))
                                 (check-type object list)
                                 object)
                   (serious-condition (problem)
                     (send-object client (list :object "error" (condition-failure problem)))
                     (return-from handle-line nil)))))
    (cond ((assoc "cancel" request :test #'string=) (cancel client (entry request "cancel")))
          ((slow-p request) (answer-slow client (with-deadline request)))
          (t (answer-client client (with-deadline request))))))

;;; Threads of one client

(defun client-line (client)
  "Return the next line of CLIENT; NIL when it has hung up, which ends what is still answered for it."
  (sb-thread:with-mutex ((client-reading client))
    (and (client-open client)
         (or (next-line client)
             (progn (setf (client-open client) nil)
                    (sb-thread:with-mutex ((client-slow-lock client))
                      (setf (client-slow-waiting client) '()))
                    (cancel-questions client)
                    nil)))))

(defun serve (client)
  (loop for line = (client-line client)
        while line
        do (handler-case (handle-line client line)
             (serious-condition (problem)
               (format *error-output* "~&;; descartes: a question was lost: ~a~%" problem))))
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
