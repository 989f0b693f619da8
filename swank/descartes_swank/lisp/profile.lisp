;;;; The statistical profiler: what threads were doing, sampled many times a second, as stacks of names.
;;;;
;;;; SB-SPROF is loaded when it is first wanted. It is one for the whole image: who starts it owns it until
;;;; it is stopped, and a second start is refused.

(in-package "DESCARTES-SERVICE")

(defconstant +deepest-stack+ 300 "Frames of one stack that are kept, from both of its ends.")
(defconstant +most-samples+ 100000)
(defparameter *profile-interval* 1/250 "Seconds between two samples.")

(defvar *profile* nil "(MODE INTERNAL-REAL-TIME) while something is profiled.")
(defvar *profile-lock* (sb-thread:make-mutex :name "descartes profile"))

(defun sprof (name &rest arguments)
  "Call the function NAME of SB-SPROF, which is not there when this file is read."
  (apply (find-symbol name "SB-SPROF") arguments))

(defun sprof-value (name)
  (symbol-value (find-symbol name "SB-SPROF")))

(defvar *requiring* (sb-thread:make-mutex :name "descartes profiler"))

(defun require-profiler ()
  "Have the profiler's module; who asks while another thread loads it waits for all of it."
  (sb-thread:with-recursive-lock (*requiring*)
    (load-profiler)))

(defun load-profiler ()
  (handler-case
      (let ((*package* (find-package "COMMON-LISP-USER")))
        (handler-bind ((warning #'muffle-warning))
          (require "SB-SPROF")))
    (error (problem)
      (refuse "not_found" "this Lisp has no statistical profiler, its module SB-SPROF cannot be loaded: ~a"
              problem))))

(defun chosen-mode (text)
  (or (cdr (assoc text '(("cpu" . :cpu) ("alloc" . :alloc) ("time" . :time)) :test #'equal))
      (refuse "invalid_params" "expected the mode cpu, alloc or time, got ~a" text)))

(defun chosen-threads (ids)
  "Return what SB-SPROF takes for IDS, a vector of thread numbers, or NIL for all."
  (if (null ids)
      :all
      (loop for id across ids
            for thread = (and (integerp id) (swank/backend:find-thread id))
            unless (and thread (sb-thread:thread-alive-p thread))
              do (refuse "not_found" "there is no thread ~a; lisp.threads lists those there are" id)
            collect thread)))

(define-question "profileStart" (request package :slow t)
  (let ((mode (chosen-mode (or (entry request "mode") "cpu")))
        (threads (chosen-threads (entry request "threads"))))
    (require-profiler)
    (sb-thread:with-mutex (*profile-lock*)
      (when *profile*
        (refuse "invalid_params" "a profile is being taken already; end it with lisp.profileStop"))
      (sprof "RESET")
      (sprof "START-PROFILING" :mode mode :threads threads :sample-interval *profile-interval*
                               :max-samples +most-samples+)
      (setf *profile* (list mode (microseconds))))
    (list :object "mode" (string-downcase mode))))

;;; Stacks

(defun frame-name (info)
  "Return the name of the function that INFO, what a sample has for a frame, stands for."
  (flet ((clean (name)
           (if (and (consp name)
                    (member (first name) '(sb-c::xep sb-c::tl-xep sb-c::&more-processor
                                           sb-c::&optional-processor sb-c::top-level-form)))
               (second name)
               name)))
    (typecase info
      (null "elsewhere")
      (string (if (starts-at-p "foreign function " info 0) (subseq info 17) info))
      (sb-di::debug-fun (let ((name (clean (sb-di:debug-fun-name info))))
                          (handler-case (if (stringp name) name (shown-frame name))
                            (error () "code"))))
      (symbol (string-downcase info))
      (t "code"))))

(defun shown-frame (name)
  "Return NAME, a function's as the compiler gives it, in lower case: (flet g :in pkg::f), pkg::f (integer)."
  (flet ((part (part)
           (cond ((stringp part) part)
                 ((and part (symbolp part))
                  (if (eq (symbol-package part) (find-package "COMMON-LISP"))
                      (short-name part)
                      (qualified-name part)))
                 (t (let ((*print-length* 6) (*print-level* 2))
                      (with-output-to-string (out) (put-lambda-list part out)))))))
    (cond ((symbolp name) (qualified-name name))
          ((method-name-p name) (shown-name name nil))
          ((ignore-errors (list-length name))
           (let ((parts (mapcar #'part name)))
             (bounded-text 200 (lambda (out) (format out "(~{~a~^ ~})" parts)))))
          (t "code"))))

(defstruct stacks
  (names (make-hash-table :test #'equal))   ; name -> its number
  (known (make-hash-table :test #'eq))      ; what a sample has for a frame -> number
  (counts (make-hash-table :test #'equal))) ; (thread . numbers, the innermost last) -> how often

(defun frame-number (info stacks)
  (or (gethash info (stacks-known stacks))
      (setf (gethash info (stacks-known stacks))
            (let ((name (frame-name info))
                  (names (stacks-names stacks)))
              (or (gethash name names)
                  (setf (gethash name names) (hash-table-count names)))))))

(defun bounded-stack (numbers stacks)
  "Return NUMBERS without their middle where there are too many."
  (let ((length (length numbers))
        (half (floor +deepest-stack+ 2)))
    (if (<= length +deepest-stack+)
        numbers
        (append (subseq numbers 0 half)
                (list (frame-number "…" stacks))
                (subseq numbers (- length half))))))

(defun collected-stacks ()
  (let ((stacks (make-stacks)))
    (sprof "MAP-TRACES"
           (lambda (thread trace)
             (let ((numbers '()))
               (sprof "MAP-TRACE-PC-LOCS"
                      (lambda (info pc)
                        (declare (ignore pc))
                        (push (frame-number info stacks) numbers))
                      trace)
               (incf (gethash (cons thread (bounded-stack (outermost-first numbers stacks) stacks))
                              (stacks-counts stacks) 0))))
           (sprof-value "*SAMPLES*"))
    stacks))

(defun outermost-first (numbers stacks)
  "Return NUMBERS, collected in the order that this version of SB-SPROF has, so that a thread's first frame
comes first."
  (flet ((base-p (number)
           (loop for name in '("new_thread_trampoline" "sb-thread::run" "sb-impl::start-lisp" "call_into_lisp_"
                               "sb-impl::%start-lisp")
                 thereis (eql number (gethash name (stacks-names stacks))))))
    (if (and numbers (base-p (first (last numbers))) (not (base-p (first numbers))))
        (reverse numbers)
        numbers)))

(defun foreign-thread-p (thread evaluation)
  "True when what THREAD did is no part of EVALUATION, an id or NIL: it answers others or works for them."
  (or (eq thread sb-thread:*current-thread*)
      (service-thread-p thread)
      (and evaluation
           (let ((other (working-evaluation thread)))
             (and other (not (equal other evaluation)))))))

(defun stack-objects (stacks evaluation)
  (coerce (loop for (thread . numbers) being the hash-keys of (stacks-counts stacks) using (hash-value count)
                unless (foreign-thread-p thread evaluation)
                  collect (list :object
                                "thread" (swank/backend:thread-id thread)
                                "name" (or (sb-thread:thread-name thread) "")
                                "frames" (coerce numbers 'vector)
                                "count" count))
          'vector))

(defun frame-names (stacks)
  (let ((names (make-array (hash-table-count (stacks-names stacks)))))
    (maphash (lambda (name number) (setf (aref names number) name)) (stacks-names stacks))
    names))

(defun ending-p (thread)
  "True when THREAD has done what it was asked for and is about to end."
  (and (equal (sb-thread:thread-name thread) "worker")
       (not (eq thread sb-thread:*current-thread*))
       (not (working-evaluation thread))))

(defun wait-for-ending-threads ()
  "Wait, some tenths of a second at most: SB-SPROF loses what it sampled in a thread that ends while it collects.
A thread of the program itself may have the name that Swank's have; it does not end."
  (loop repeat 300
        while (some #'ending-p (sb-thread:list-all-threads))
        do (sleep 1/1000)))

(define-question "profileStop" (request package :slow t)
  (sb-thread:with-mutex (*profile-lock*)
    (unless *profile*
      (refuse "not_found" "no profile is being taken; begin one with lisp.profileStart"))
    (destructuring-bind (mode began) (shiftf *profile* nil)
      (sprof "STOP-PROFILING")
      (let* ((elapsed (prog1 (- (microseconds) began) (wait-for-ending-threads)))
             (report (bounded-text *longest-text*
                                   (lambda (out)
                                     (let ((*print-pretty* nil))
                                       (sprof "REPORT" :type :graph :max 200 :stream out)))))
             (stacks (collected-stacks)))
        (sprof "RESET")
        (list :object
              "mode" (string-downcase mode)
              "elapsedUs" elapsed
              "intervalUs" (round (* 1000000 *profile-interval*))
              "stacks" (stack-objects stacks (entry request "evaluation"))
              "frames" (frame-names stacks)
              "report" report)))))
