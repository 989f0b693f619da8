;;;; The values of the last evaluations: kept to be looked at, and in a REPL referred to by number.

(in-package "DESCARTES-BOOT")

(defconstant +results-kept+ 100 "For each REPL, large ones too.")
(defconstant +values-kept+ 10 "For each client's evaluations that belong to no REPL.")

(defstruct result id number values)

(defvar *results* (make-hash-table :test 'equal :synchronized t)
  "By client: its last results, the newest first.")

(defun repl-p (client)
  "True when CLIENT is the name of a REPL, which is its owner's, # and its own."
  (find #\# client))

(defun remember-result (client id values)
  "Keep VALUES of the evaluation ID; return the number that they have in the REPL CLIENT, or nil."
  (sb-ext:with-locked-hash-table (*results*)
    (let* ((old (gethash client *results*))
           (number (and (repl-p client) (if old (1+ (result-number (first old))) 1)))
           (results (cons (make-result :id id :number number :values values) old))
           (limit (if number +results-kept+ +values-kept+)))
      (setf (gethash client *results*) (subseq results 0 (min limit (length results))))
      number)))

(defun numbered-value (client number index)
  "Return the value INDEX of the result NUMBER of the REPL CLIENT."
  (let* ((results (gethash client *results*))
         (result (find number results :key #'result-number)))
    (cond ((null result)
           (error "There is no result ~d in this REPL~@[; the newest is ~d, and ~d are kept~]"
                  number (and results (result-number (first results))) +results-kept+))
          ((>= index (max 1 (length (result-values result))))
           (error "Result ~d has ~d value~:p, counted from 0; there is no ~d"
                  number (length (result-values result)) index))
          (t (nth index (result-values result))))))

;;; #v3 is the first value of result 3, #v3:1 its second. The user's own readtables are never changed

(defvar *repl* nil "The REPL that forms are read for, or nil.")

(defun read-digits (stream)
  (loop for char = (peek-char nil stream nil nil t)
        while (and char (digit-char-p char))
        collect (read-char stream t nil t) into digits
        finally (return (and digits (parse-integer (coerce digits 'string))))))

(defun read-result (stream char argument)
  (declare (ignore char argument))
  (let ((number (or (read-digits stream) (error "Expected the number of a result after #v"))))
    (list 'quote
          (numbered-value *repl* number
                          (cond ((eql #\: (peek-char nil stream nil nil t))
                                 (read-char stream t nil t)
                                 (or (read-digits stream) (error "Expected a number after #v~d:" number)))
                                (t 0))))))

(defun reading-table ()
  "Return the readtable for the next form of a REPL: as the user's, which may have a #v of its own."
  (or (ignore-errors
       (unless (get-dispatch-macro-character #\# #\v)
         (let ((table (copy-readtable)))
           (set-dispatch-macro-character #\# #\v #'read-result table)
           table)))
      *readtable*))

(defun read-form (stream)
  "Return the next form on STREAM, or STREAM at its end."
  (let ((*readtable* (if *repl* (reading-table) *readtable*)))
    (read stream nil stream)))

(defun evaluation-value (id index)
  "Return the value INDEX of the evaluation ID, whoever asked for it, and whether it is kept."
  (let ((result (sb-ext:with-locked-hash-table (*results*)
                  (loop for results being the hash-values of *results*
                        thereis (find id results :key #'result-id :test #'equal)))))
    (if (and result (< -1 index (length (result-values result))))
        (values (nth index (result-values result)) t)
        (values nil nil))))
